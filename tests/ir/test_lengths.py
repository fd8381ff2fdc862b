from hypothesis import given, settings
from hypothesis import strategies as st

from ttc.ir.lengths import Length, from_json, same, to_json

T, S = Length.named("T"), Length.named("S")
STEPS = st.lists(st.tuples(st.sampled_from("+*/"), st.integers(1, 6), st.booleans()), max_size=6)


def built(steps, start, number):
    """The steps done on a length, and on its number."""
    length = start
    for kind, by, negative in steps:
        match kind:
            case "+":
                by = -by if negative else by
                length, number = length + by, number + by
            case "*":
                length, number = length * by, number * by
            case "/":
                length, number = length // by, number // by
    return length, number


@settings(deadline=None)  # a machine may be busy
@given(STEPS, st.integers(1, 500))
def test_a_length_is_what_its_steps_are_in_whole_numbers(steps, number):
    length, wanted = built(steps, T, number)
    assert length.at({"T": number}) == wanted
    assert from_json(to_json(length)) == length


def test_equal_lengths_are_one():
    assert (T * 4 + 6) // 2 == T * 2 + 3
    assert ((T + 1) // 2 + 1) // 2 == (T + 3) // 4
    assert T + S == S + T
    assert T * 3 - T == T * 2
    assert Length.number(0) == T * 0
    assert T // 1 is T
    assert Length.number(3) == (T * 2 - T * 2 + 7) // 2


def test_lengths_that_are_written_otherwise_may_be_the_same():
    assert same((T * 2 + 1) // 2, T, {"T": 100})
    assert same(T // 2 + (T + 1) // 2, T, {"T": 100})
    assert not same((T + 1) // 2, T // 2, {"T": 100})
    assert not same(T, S, {"T": 100, "S": 100})


def test_text():
    texts = [T, T * 10 + 2, (T + 1) // 2, ((T + 1) // 2) * 2, S + T - 1, Length.number(-3), T * -1 + 5]
    assert list(map(str, texts)) == ["T", "10*T + 2", "(T + 1)//2", "2*((T + 1)//2)", "S + T - 1", "-3", "-1*T + 5"]
    assert (T + S * 2).names == {"S", "T"}


def test_lengths_that_plainly_grow_from_zero():
    T, S = Length.named("T"), Length.named("S")
    for plain in (T, T - 1, T * 2 - 2, T + S - 2, T // 2, (T - 1) // 2, Length.number(0)):
        assert plain.grows_from_zero, plain
    for other in (T - 2, T * -1 + 5, S - T + 3, T * 2 - 3, (T * -1 + 9) // 2, Length.number(-1)):
        assert not other.grows_from_zero, other
