import pytest

from tests.passes.check import near_miss, rewrites
from ttc.passes.fuse.fuse_offset import fuse_offset

HEAD = """
        %x: f32[1,8] = input(name="x")
        %w: f32[16,8] = const(ref="w")
        %b: f32[16] = const(ref="b")
        %c: f32[] = full(value=2.0)
"""
BEFORE = (
    HEAD
    + """\
        %p: f32[1,16] = linear(x=%x, w=%w, bias=%b)
        %r: f32[1,1,16] = reshape(x=%p, shape=[1, 1, 16])
        %y: f32[1,1,16] = add(a=%r, b=%c)
        return "y"=%y
"""
)


def test_behind_a_reshape():
    rewrites(
        fuse_offset,
        BEFORE,
        HEAD
        + """\
        %b_0: f32[16] = add(a=%b, b=%c)
        %y: f32[1,16] = linear(x=%x, w=%w, bias=%b_0)
        %y_0: f32[1,1,16] = reshape(x=%y, shape=[1, 1, 16])
        return "y"=%y_0
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%c: f32[] = full(value=2.0)", '%c: f32[16] = const(ref="c")'),
        ("%c: f32[] = full(value=2.0)", '%c: f32[1] = input(name="c")'),
        ("%c: f32[] = full(value=2.0)", "%c: f32[3,1,1] = full(value=2.0)"),
        ("bias=%b)", 'bias=%b, activation="relu")'),
        ('%b: f32[16] = const(ref="b")', '%b: f32[16] = input(name="b")'),
        ("bias=%b)", "bias=none)"),
        ("add(a=%r, b=%c)", "mul(a=%r, b=%c)"),
        ("reshape(x=%p, shape=[1, 1, 16])", "relu(x=%p)"),
        ('"y"=%y', '"y"=%y, "p"=%p'),
        ('"y"=%y', '"y"=%y, "r"=%r'),
    ],
)
def test_near_misses(old, new):
    near_miss(BEFORE, old, new, "add(a=%b, b=%c)", fuse_offset)
