import pytest

from tests.passes.check import leaves, near_miss, rewrites
from ttc.passes.fuse.heads_first import heads_first

BEFORE = """
        %x: f32[1,5,16] = input(name="x")
        %w: f32[8] = const(ref="w")
        %cos: f32[5,1,8] = input(name="cos")
        %sin: f32[5,1,8] = input(name="sin")
        %z: f32[1,3,16] = input(name="z")
        %h: f32[1,5,2,8] = reshape(x=%x, shape=[1, 5, 2, 8])
        %n: f32[1,5,2,8] = rms_norm(x=%h, w=%w)
        %r: f32[1,5,2,8] = rotary(x=%n, cos=%cos, sin=%sin)
        %g: f32[1,3,2,8] = reshape(x=%z, shape=[1, 3, 2, 8])
        %l: f32[1,3,2,8] = layer_norm(x=%g)
        %c: f32[1,8,2,8] = concat(xs=[%r, %l], dim=1)
        %y: f32[1,2,8,8] = permute(x=%c, dims=[0, 2, 1, 3])
        return "y"=%y
"""


def test_norms_rotations_and_joining():
    rewrites(
        heads_first,
        BEFORE,
        """
        %x: f32[1,5,16] = input(name="x")
        %w: f32[8] = const(ref="w")
        %cos: f32[5,1,8] = input(name="cos")
        %sin: f32[5,1,8] = input(name="sin")
        %z: f32[1,3,16] = input(name="z")
        %h: f32[1,5,2,8] = reshape(x=%x, shape=[1, 5, 2, 8])
        %g: f32[1,3,2,8] = reshape(x=%z, shape=[1, 3, 2, 8])
        %y: f32[1,2,5,8] = permute(x=%h, dims=[0, 2, 1, 3])
        %y_0: f32[1,2,5,8] = rms_norm(x=%y, w=%w)
        %y_2: f32[1,1,5,8] = reshape(x=%cos, shape=[1, 1, 5, 8])
        %y_4: f32[1,1,5,8] = reshape(x=%sin, shape=[1, 1, 5, 8])
        %y_5: f32[1,2,5,8] = rotary(x=%y_0, cos=%y_2, sin=%y_4)
        %y_6: f32[1,2,3,8] = permute(x=%g, dims=[0, 2, 1, 3])
        %y_7: f32[1,2,3,8] = layer_norm(x=%y_6)
        %y_8: f32[1,2,8,8] = concat(xs=[%y_5, %y_7], dim=2)
        return "y"=%y_8
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("permute(x=%c, dims=[0, 2, 1, 3])", "permute(x=%c, dims=[0, 2, 3, 1])"),
        ("layer_norm(x=%g)", "layer_norm(x=%g, dims=2)"),
        ("layer_norm(x=%g)", "softmax(x=%g, dim=3)"),
        ('"y"=%y', '"y"=%y, "n"=%n'),
        ("reshape(x=%x, shape=[1, 5, 2, 8])", "permute(x=%x1, dims=[0, 1, 3, 2])"),
        ('%x: f32[1,5,16] = input(name="x")', '%x: f32[5,16] = input(name="x")'),
    ],
)
def test_near_misses(old, new):
    text = BEFORE.replace("%h:", "%x1: f32[1,5,8,2] = reshape(x=%x, shape=[1, 5, 8, 2])\n        %h:")
    near_miss(text, old, new, "rms_norm(x=%y", heads_first)


def test_joining_heads_rather_than_rows_stays():
    leaves(
        heads_first,
        """
        %x: f32[1,5,16] = input(name="x")
        %h: f32[1,5,2,8] = reshape(x=%x, shape=[1, 5, 2, 8])
        %e: f32[1,5,2,8] = layer_norm(x=%h)
        %c: f32[1,5,4,8] = concat(xs=[%h, %e], dim=2)
        %y: f32[1,4,5,8] = permute(x=%c, dims=[0, 2, 1, 3])
        return "y"=%y
        """,
    )
