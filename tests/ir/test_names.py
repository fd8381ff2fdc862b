from ttc.ir.names import free_name


def test_a_name_that_is_free_stays():
    assert free_name("x", {"y", "x_2"}) == "x"


def test_numbers_begin_where_stated_and_pass_over_what_is_taken():
    assert free_name("x", {"x"}) == "x_2"
    assert free_name("x", {"x", "x_2", "x_3"}) == "x_4"
    assert free_name("x", {"x"}, ".", first=1) == "x.1"
    assert free_name("pass", {"pass", "pass-2"}, "-") == "pass-3"
