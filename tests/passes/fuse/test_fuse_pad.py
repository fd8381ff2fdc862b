import pytest

from tests.passes.check import leaves, near_miss, rewrites
from ttc.passes.fuse.fuse_pad import fuse_pad

X = '%x: f32[1,3,4,4] = input(name="x")\n'
W = '%w: f32[8,3,3,3] = const(ref="w")\n'
PAD = "%p: f32[1,3,6,7] = pad(x=%x, pads=[[0, 0], [0, 0], [1, 1], [1, 2]])\n"
CONV = "%y: f32[1,8,4,7] = conv(x=%{x}, w=%w, stride=[1, 1], padding=[[{a}, {a}], [{b}, {c}]], dilation=[1, 1])\n"
POOL = "%y: f32[1,3,4,5] = avg_pool(x=%{x}, kernel=[3, 3], stride=[1, 1], "
POOL += "padding=[[{a}, {a}], [{b}, {c}]], dilation=[1, 1])\n"
END = 'return "y"=%y'


def test_into_a_convolution():
    before = CONV.format(x="p", a=0, b=1, c=1)
    rewrites(fuse_pad, X + W + PAD + before + END, X + W + CONV.format(x="x", a=1, b=2, c=3) + END)


def test_into_an_average():
    before = POOL.format(x="p", a=0, b=0, c=0)
    rewrites(fuse_pad, X + PAD + before + END, X + POOL.format(x="x", a=1, b=1, c=2) + END)


@pytest.mark.parametrize(
    "pad",
    [
        PAD.replace("]])", "]], value=1.0)"),
        PAD.replace("]])", ']], mode="reflect")'),
    ],
)
def test_other_pads_stay(pad):
    leaves(fuse_pad, X + W + pad + CONV.format(x="p", a=0, b=1, c=1) + END)


def test_an_average_that_does_not_count_padding():
    leaves(fuse_pad, X + PAD + POOL.format(x="p", a=0, b=0, c=0).replace("1])", "1], count_padding=false)") + END)


CONVOLVED = X + W + PAD + CONV.format(x="p", a=0, b=1, c=1) + END
AVERAGED = X + PAD + POOL.format(x="p", a=0, b=0, c=0) + END


@pytest.mark.parametrize(
    ("text", "old", "new", "made"),
    [
        (CONVOLVED, "pads=[[0, 0], [0, 0], [1, 1], [1, 2]]", "pads=[[1, 0], [0, 0], [1, 1], [1, 2]]", "conv(x=%x"),
        (CONVOLVED, "pads=[[0, 0], [0, 0], [1, 1], [1, 2]]", "pads=[[0, 1], [0, 0], [1, 1], [1, 2]]", "conv(x=%x"),
        (CONVOLVED, "[1, 2]])", "[1, 2]], value=-1.0)", "conv(x=%x"),
        (CONVOLVED, "[1, 2]])", '[1, 2]], mode="replicate")', "conv(x=%x"),
        (AVERAGED, "[1, 2]])", "[1, 2]], value=1.0)", "avg_pool(x=%x"),
        (AVERAGED, "[1, 2]])", '[1, 2]], mode="reflect")', "avg_pool(x=%x"),
        (AVERAGED, "pads=[[0, 0], [0, 0]", "pads=[[0, 0], [1, 0]", "avg_pool(x=%x"),
        (AVERAGED, "dilation=[1, 1])", "dilation=[1, 1], ceil=true)", "avg_pool(x=%x"),
        (AVERAGED, "dilation=[1, 1])", "dilation=[1, 1], count_padding=false)", "avg_pool(x=%x"),
        (AVERAGED, "avg_pool(x=%p", "max_pool(x=%p", "avg_pool(x=%x"),
    ],
)  # fmt: skip
def test_near_misses(text, old, new, made):
    near_miss(text, old, new, made, fuse_pad)


CHANNELS = """%x_: f32[1,2,4,4] = slice(x=%x, starts=[0, 0, 0, 0], ends=[1, 2, 4, 4])
%p: f32[1,3,4,4] = pad(x=%x_, pads=[[0, 0], [0, 1], [0, 0], [0, 0]])
%y: f32[1,8,2,2] = conv(x=%p, w=%w, stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1])
"""


def test_channels_of_zeros_stay():
    leaves(fuse_pad, X + W + CHANNELS + END)
