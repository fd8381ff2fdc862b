import pytest

from ttc.errors import Refusal
from ttc.ir.lengths import Length
from ttc.passes.padding.fit import Fits

T = Length.named("T")
SIZES = [{"T": size} for size in (64, 128, 63, 61)]


def fits(*known: Length) -> Fits:
    found = Fits(SIZES, {"T": 128})
    for length in known:
        found.add(length)
    return found


def numbers(length: Length) -> list[int]:
    return [length.at(sizes) for sizes in SIZES]


@pytest.mark.parametrize("length", [T, T * 3 + 2, T - 5, T // 2, (T + 1) // 2 + 4, (T + 3) // 4, T * -1 + 64])
def test_what_gives_the_sizes_is_found(length):
    assert fits().length(numbers(length)) == length


def test_lengths_that_the_model_has_are_looked_at_first():
    halved = (T * 3 + 7) // 5
    assert fits(halved).length(numbers(halved + 2)) == halved + 2
    with pytest.raises(Refusal, match="follows no length that ttc knows"):
        fits().length(numbers(halved))


def test_what_two_lengths_explain_is_refused():
    known = Fits([{"T": 64}, {"T": 128}, {"T": 61}], {"T": 128})
    with pytest.raises(Refusal, match=r"9, 17, 8 for T=64; T=128; T=61 may be"):
        known.length([9, 17, 8])


def test_only_lengths_that_the_model_takes_tell_quotients_apart():
    even = Fits([{"T": 64}, {"T": 128}, {"T": 62}, {"T": 60}], {"T": 128})
    assert even.length([33, 65, 32, 31]) == T // 2 + 1


def test_quotients_are_guesses_that_more_sizes_make_certain():
    known = fits()
    assert known.length(numbers((T * 3 + 7) // 20)) == (T + 5) // 7  # agrees at four sizes
    assert known.guessed
    many = Fits([{"T": 64 - n} for n in range(9)], {"T": 64})
    with pytest.raises(Refusal, match="may be"):
        many.length([((T * 3 + 7) // 20).at(sizes) for sizes in many.sizes])
    certain = fits()
    certain.length(numbers(T * 3 - 1))
    assert not certain.guessed


def test_a_known_quotient_is_a_guess_where_another_gives_the_same_sizes():
    few = Fits([{"T": 24}, {"T": 23}, {"T": 21}], {"T": 24})
    few.add((T + 1) // 4)
    assert few.length([12, 12, 11]) == (T + 1) // 4 + 6  # or (T + 1) // 2
    assert few.guessed
    many = Fits([{"T": 24 - n} for n in range(9)], {"T": 24})
    many.add((T + 1) // 4)
    assert many.length([((T + 1) // 2).at(sizes) for sizes in many.sizes]) == (T + 1) // 2


@pytest.mark.parametrize(
    ("function", "number", "at_100"),
    [
        ("", lambda n: n / 4, 25),
        ("reciprocal", lambda n: 1 / (n - 1), 99),
        ("sqrt", lambda n: n**0.5, 100),
        ("sqrt", lambda n: (n / 16) ** 0.5, 6.25),
        ("rsqrt", lambda n: n**-0.5, 100),
    ],
)
def test_numbers_that_functions_of_a_length_are(function, number, at_100):
    name, length, divisor = fits().real([number(sizes["T"]) for sizes in SIZES])
    assert name == function
    assert length.at({"T": 100}) / divisor == at_100


def test_a_function_that_has_no_inverse_at_a_number_leaves_the_others():
    assert fits().real([(sizes["T"] - 61) ** 0.5 for sizes in SIZES]) == ("sqrt", T - 61, 1)  # one of them is 0


def test_other_numbers_are_not():
    assert fits().real([1.3, 2.9, 1.1, 0.4]) is None
