import pytest

from tests.passes.check import leaves, near_miss, rewrites
from ttc.passes.fuse.fuse_affine import fuse_affine

HEAD = """
        %x: f32[2,8,50] = input(name="x")
        %r: f32[2,8,1] = input(name="r")
        %w: f32[8,1] = const(ref="w")
        %c: f32[8,1] = const(ref="c")
        %g: f32[2,8,1] = input(name="g")
        %h: f32[2,8,1] = input(name="h")
"""
NORM = (
    HEAD
    + """\
        %s: f32[2,8,50] = mul(a=%x, b=%r)
        %t: f32[2,8,50] = mul(a=%s, b=%w)
        %u: f32[2,8,50] = add(a=%t, b=%c)
        %v: f32[2,8,50] = mul(a=%g, b=%u)
        %y: f32[2,8,50] = add(a=%v, b=%h)
        return "y"=%y
"""
)


def test_an_adaptive_norm_s_two_scales_and_shifts_are_one_each():
    """Constants meet the style's numbers first, so that linears can take them."""
    rewrites(
        fuse_affine,
        NORM,
        HEAD
        + """\
        %v: f32[2,8,1] = mul(a=%g, b=%w)
        %v_0: f32[2,8,1] = mul(a=%r, b=%v)
        %v_1: f32[2,8,50] = mul(a=%x, b=%v_0)
        %v_2: f32[2,8,1] = mul(a=%g, b=%c)
        %y: f32[2,8,1] = add(a=%v_2, b=%h)
        %y_0: f32[2,8,50] = add(a=%v_1, b=%y)
        return "y"=%y_0
        """,
    )


SCALES = (
    HEAD
    + """\
        %s: f32[2,8,50] = mul(a=%x, b=%r)
        %y: f32[2,8,50] = mul(a=%s, b=%g)
        return "y"=%y
"""
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "s"=%s'),
        ("mul(a=%x, b=%r)", "div(a=%x, b=%r)"),
        ("mul(a=%s, b=%g)", "div(a=%s, b=%g)"),
        ('%r: f32[2,8,1] = input(name="r")', '%r: f32[2,1,50] = input(name="r")'),
        ('%r: f32[2,8,1] = input(name="r")', '%r: f32[2,8,50] = input(name="r")'),
        ('%r: f32[2,8,1] = input(name="r")', "%r: f32[] = full(value=3.0)"),
        ('%g: f32[2,8,1] = input(name="g")', "%g: f32[] = full(value=3.0)"),
        ('%g: f32[2,8,1] = input(name="g")', '%g: f32[2,8,50] = input(name="g")'),
        ('%g: f32[2,8,1] = input(name="g")', '%g: f32[3,2,8,1] = input(name="g")'),
        ('%x: f32[2,8,50] = input(name="x")', '%x: f32[2,1,50] = input(name="x")'),
    ],
)
def test_near_misses_of_two_scales(old, new):
    near_miss(SCALES, old, new, "mul(a=%r, b=%g)", fuse_affine)


SHIFTS = SCALES.replace("mul(", "add(")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "s"=%s'),
        ("add(a=%x, b=%r)", "sub(a=%x, b=%r)"),
        ("add(a=%s, b=%g)", "sub(a=%s, b=%g)"),
        ('%r: f32[2,8,1] = input(name="r")', '%r: f32[2,1,50] = input(name="r")'),
        ('%g: f32[2,8,1] = input(name="g")', '%g: f32[2,8,50] = input(name="g")'),
    ],
)
def test_near_misses_of_two_shifts(old, new):
    near_miss(SHIFTS, old, new, "add(a=%r, b=%g)", fuse_affine)


SHIFTED = (
    HEAD
    + """\
        %t: f32[2,8,50] = mul(a=%x, b=%r)
        %u: f32[2,8,50] = add(a=%t, b=%h)
        %y: f32[2,8,50] = mul(a=%u, b=%g)
        return "y"=%y
"""
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y"=%y', '"y"=%y, "t"=%t'),
        ('"y"=%y', '"y"=%y, "u"=%u'),
        ("mul(a=%x, b=%r)", "tanh(x=%x)"),
        ("add(a=%t, b=%h)", "sub(a=%t, b=%h)"),
        ('%h: f32[2,8,1] = input(name="h")', '%h: f32[2,1,50] = input(name="h")'),
        ('%r: f32[2,8,1] = input(name="r")', '%r: f32[2,1,50] = input(name="r")'),
    ],
)
def test_near_misses_of_a_scale_a_shift_and_a_scale(old, new):
    near_miss(SHIFTED, old, new, "mul(a=%h, b=%g)", fuse_affine)


def test_integers_stay():
    read = [line for line in SCALES.splitlines() if not any(f"%{name}: " in line for name in "wch")]
    leaves(fuse_affine, "\n".join(read).replace("f32", "i64"))
