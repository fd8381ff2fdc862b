import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.repeat import Expand, Repeat
from ttc.errors import Refusal


def test_shapes():
    x, r = values(spec(BF16, 2, 1, 33), spec(BF16, 33, layout=ROWS))
    assert Expand(x, (5, 2, 1, 33)).infer() == spec(BF16, 5, 2, 1, 33)
    assert Expand(r, (4, 33)).infer() == spec(BF16, 4, 33, layout=ROWS)
    assert Repeat(x, (3, 1, 1)).infer() == spec(BF16, 6, 1, 33)


def test_repeating_nothing_is_a_view():
    (x,) = values(spec(BF16, 2, 33))
    assert Expand(x, (2, 33)).alias() is x
    assert Repeat(x, (1, 1)).alias() is x


def test_tiled_dimensions_are_repeated_in_rows():
    (x,) = values(spec(BF16, 1, 33))
    with pytest.raises(Refusal, match="repeats whole tiles only"):
        Expand(x, (5, 33)).infer()
    with pytest.raises(Refusal, match="repeats whole tiles only"):
        Repeat(x, (1, 2)).infer()
    with pytest.raises(Refusal, match=r"\[1, 33\] does not expand to \[1, 34\]"):
        Expand(x, (1, 34)).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_repeats_as_predicted(target: str, ttnn_python: str):
    programs = []
    for dtype in (BF16, F32, I32):
        for width in (1, 40, 197, 4096):
            for layout in (TILED, ROWS):
                x = spec(dtype, 1, 33, width, layout=layout)
                programs += [
                    one(lambda x, w=width: Expand(x, (3, 33, w)), x),
                    one(lambda x: Repeat(x, (3, 1, 1)), x),
                ]
            row = spec(dtype, 1, width, layout=ROWS)
            programs += [one(lambda x, w=width: Expand(x, (2, 7, w)), row), one(lambda x: Repeat(x, (3, 2)), row)]
    assert_as_predicted(programs, target)
