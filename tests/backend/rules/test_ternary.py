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
        [("%x: f32[1,33,64]", "%x: f32[1,33,1]")],
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


ADAPTED = """
    %x: f32[1,33,64] = input(name="x")
    %g: f32[1,1,64] = input(name="g")
    %h: f32[1,1,64] = input(name="h")
    %p: f32[1,33,64] = mul(a=%x, b=%g)
    %y: f32[1,33,64] = add(a=%p, b=%h)
    return "y"=%y
"""


@pytest.mark.parametrize("dtype", [DType.bf16, DType.f32])
@pytest.mark.parametrize(("old", "new"), [("b=%h", "b=%h"), ("a=%p, b=%h", "a=%h, b=%p"), ("a=%x, b=%g", "a=%g, b=%x")])
def test_a_scale_and_a_shift_are_one_call(dtype, old, new):
    assert lowered(ADAPTED.replace(old, new), dtype) == (f"%y: {dtype}[1,33,64] tile dram = ttnn.addcmul(%h, %x, %g)")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "p"=%p'),
        ("%g: f32[1,1,64]", "%g: f32[1,33,1]"),
        ("%h: f32[1,1,64]", "%h: f32[1,33,1]"),
        ("%h: f32[1,1,64]", "%h: f32[1,1,1]"),
        ('%g: f32[1,1,64] = input(name="g")', "%g: f32[1,1,64] = full(value=3.0)"),
        ('%h: f32[1,1,64] = input(name="h")', "%h: f32[1,1,64] = full(value=3.0)"),
        ("%y: f32[1,33,64] = add(", "%y: f32[1,33,64] = sub("),
    ],
)
def test_near_misses_of_a_scale_and_a_shift(old, new):
    assert ADAPTED.count(old) == 1
    assert "addcmul" not in lowered(ADAPTED.replace(old, new))


SNAKE = """
    %z: f32[1,33,64] = input(name="z")
    %x: f32[1,33,64] = tanh(x=%z)
    %a: f32[1,1,64] = const(ref="a")
    %c: f32[1,1,64] = const(ref="c")
    %two: f32[] = full(value=2.0)
    %m: f32[1,33,64] = mul(a=%x, b=%a)
    %s: f32[1,33,64] = sin(x=%m)
    %q: f32[1,33,64] = pow(a=%s, b=%two)
    %w: f32[1,33,64] = mul(a=%q, b=%c)
    %y: f32[1,33,64] = add(a=%x, b=%w)
    return "y"=%y
"""


@pytest.mark.parametrize("dtype", [DType.bf16, DType.f32])
@pytest.mark.parametrize(
    ("old", "new"), [("b=%w", "b=%w"), ("a=%x, b=%w", "a=%w, b=%x"), ("pow(a=%s, b=%two)", "mul(a=%s, b=%s)")]
)
def test_a_snake_is_one_call(dtype, old, new):
    """Sines with a frequency and a weight for each channel: beta is the reciprocal of the weight."""
    assert "ttnn.snake_beta(%x, " in lowered(SNAKE.replace(old, new), dtype)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "m"=%m'),
        ('"y"=%y', '"y"=%y, "s"=%s'),
        ('"y"=%y', '"y"=%y, "q"=%q'),
        ('"y"=%y', '"y"=%y, "w"=%w'),
        ('const(ref="a")', 'input(name="a")'),
        ('const(ref="c")', 'input(name="c")'),
        ("%a: f32[1,1,64]", "%a: f32[1,33,1]"),
        ("%c: f32[1,1,64]", "%c: f32[1,33,1]"),
        ("%a: f32[1,1,64]", "%a: f32[64]"),
        ("sin(x=%m)", "cos(x=%m)"),
        ("full(value=2.0)", "full(value=3.0)"),
        ("mul(a=%x, b=%a)", "mul(a=%z, b=%a)"),
        ("add(a=%x, b=%w)", "sub(a=%x, b=%w)"),
    ],
)
def test_near_misses_of_a_snake(old, new):
    assert SNAKE.count(old) == 1
    assert "snake_beta" not in lowered(SNAKE.replace(old, new))


def test_the_sine_of_a_position_stays_in_fp32():
    assert "snake_beta" not in lowered(SNAKE.replace("tanh(x=%z)", "neg(x=%z)"), DType.bf16)
