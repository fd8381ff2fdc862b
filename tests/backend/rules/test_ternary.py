import pytest

from tests.backend.lowered import lowered
from ttc.ir import DType

GATED = """
    %x: f32[1,33,64] = input(name="x")
    %g: f32[1,1,64] = input(name="g")
    %z: f32[1,33,64] = input(name="z")
    %p: f32[1,33,64] = mul(a=%g, b=%z)
    %y: f32[1,33,64] = add(a=%x, b=%p)
    return "y"=%y
"""


@pytest.mark.parametrize("dtype", [DType.bf16, DType.f32])
@pytest.mark.parametrize(("old", "new"), [("b=%p", "b=%p"), ("a=%x, b=%p", "a=%p, b=%x"), ("a=%g, b=%z", "a=%z, b=%g")])
def test_a_gated_sum_is_one_call(dtype, old, new):
    assert lowered(GATED.replace(old, new), dtype) == (f"%y: {dtype}[1,33,64] tile dram = ttnn.addcmul(%x, %g, %z)")


@pytest.mark.parametrize(
    "changes",
    [
        [('"y"=%y', '"y"=%y, "p"=%p')],
        [("%g: f32[1,1,64]", "%g: f32[1,33,1]")],
        [("%g: f32[1,1,64]", "%g: f32[1,33,64]")],
        [('%g: f32[1,1,64] = input(name="g")', "%g: f32[1,1,64] = full(value=3.0)")],
        [("%x: f32[1,33,64]", "%x: f32[1,1,64]")],
        [("%y: f32[1,33,64] = add(", "%y: f32[1,33,64] = sub(")],
    ],
)
def test_near_misses(changes):
    text = GATED
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert "addcmul" not in lowered(text)


def test_single_numbers_have_no_rows():
    text = GATED.replace("[1,33,64]", "[]").replace("[1,1,64]", "[]")
    assert "addcmul" not in lowered(text)
