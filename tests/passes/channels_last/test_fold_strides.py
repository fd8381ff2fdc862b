"""Convolutions of a few channels whose stride becomes channels."""

import pytest

from tests.passes.check import agree, graph_of, rewrites
from ttc.ir import Graph
from ttc.ops import Conv
from ttc.passes.channels_last.channels_last import channels_last
from ttc.passes.channels_last.fold_strides import _strips
from ttc.passes.runner import run


def test_text():
    """Phases of lines by a permute, phases of columns by slices; a kernel of 3 at -1 is one of 4 at -2."""
    rewrites(
        channels_last,
        """
        %x: f32[1,3,8,4] = input(name="x")
        %w: f32[8,3,3,3] = const(ref="w")
        %y: f32[1,8,4,2] = conv(x=%x, w=%w, stride=[2, 2], padding=[[1, 1], [1, 1]], dilation=[1, 1])
        %m: f32[1,8] = max(x=%y, dims=[2, 3])
        return "m"=%m
        """,
        """
        %x: f32[1,3,8,4] = input(name="x")
        %w: f32[8,3,3,3] = const(ref="w")
        %y: f32[1,3,1,4,2,4] = reshape(x=%x, shape=[1, 3, 1, 4, 2, 4])
        %y_0: f32[1,1,2,3,4,4] = permute(x=%y, dims=[0, 2, 4, 1, 3, 5])
        %y_1: f32[1,6,4,4] = reshape(x=%y_0, shape=[1, 6, 4, 4])
        %y_2: f32[1,6,4,2] = slice(x=%y_1, starts=[0, 0, 0, 0], ends=[1, 6, 4, 4], steps=[1, 1, 1, 2])
        %y_3: f32[1,6,8] = reshape(x=%y_2, shape=[1, 6, 8])
        %y_4: f32[1,6,4,2] = slice(x=%y_1, starts=[0, 0, 0, 1], ends=[1, 6, 4, 4], steps=[1, 1, 1, 2])
        %y_5: f32[1,6,8] = reshape(x=%y_4, shape=[1, 6, 8])
        %y_6: f32[1,12,8] = concat(xs=[%y_3, %y_5], dim=1)
        %y_8: f32[1,1,12,8] = reshape(x=%y_6, shape=[1, 1, 12, 8])
        %y_9: f32[1,1,8,12] = permute(x=%y_8, dims=[0, 1, 3, 2])
        %w_0: f32[8,3,4,3] = pad(x=%w, pads=[[0, 0], [0, 0], [1, 0], [0, 0]])
        %w_1: f32[8,3,4,4] = pad(x=%w_0, pads=[[0, 0], [0, 0], [0, 0], [1, 0]])
        %w_2: f32[8,3,2,2,2,2] = reshape(x=%w_1, shape=[8, 3, 2, 2, 2, 2])
        %w_3: f32[8,2,2,3,2,2] = permute(x=%w_2, dims=[0, 5, 3, 1, 2, 4])
        %w_4: f32[8,12,2,2] = reshape(x=%w_3, shape=[8, 12, 2, 2])
        %y_10: f32[1,1,8,8] = conv(x=%y_9, w=%w_4, stride=[1, 1], padding=[[1, 0], [1, 0]], dilation=[1, 1], \
rows=[1, 4, 2])
        %m: f32[1,8,8] = reshape(x=%y_10, shape=[1, 8, 8])
        %m_0: f32[1,8] = max(x=%m, dims=[1])
        return "m"=%m_0
        """,
        tolerance=1e-5,
    )


def layer(channels=3, size=(8, 8), kernel=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)), dilation=1, groups=1):
    """One convolution with a bias and an activation."""
    out = [
        (n + sum(p) - dilation * (k - 1) - 1) // s + 1 for n, p, k, s in zip(size, padding, kernel, stride, strict=True)
    ]
    return graph_of(f"""
        %x: f32[2,{channels},{size[0]},{size[1]}] = input(name="x")
        %w: f32[4,{channels // groups},{kernel[0]},{kernel[1]}] = const(ref="w")
        %b: f32[4] = const(ref="b")
        %y: f32[2,4,{out[0]},{out[1]}] = conv(x=%x, w=%w, bias=%b, stride={list(stride)}, \
padding={[list(pads) for pads in padding]}, dilation=[{dilation}, {dilation}], groups={groups}, activation="relu")
        return "y"=%y
    """)


def convolution(graph: Graph) -> Conv:
    return next(node.op for node in graph.nodes if isinstance(node.op, Conv))


# Each: what differs from three channels, 3 x 3, stride 2; the channels, the stride and the kernel that follow.
FOLDED = {
    "3 x 3": ({}, 12, (1, 1), (2, 2)),
    "without padding": ({"padding": ((0, 0), (0, 0))}, 12, (1, 1), (2, 2)),
    "7 x 7": ({"kernel": (7, 7), "padding": ((3, 3), (3, 3))}, 12, (1, 1), (4, 4)),
    "as many taps before as a stride": ({"kernel": (5, 5), "padding": ((2, 2), (2, 2))}, 12, (1, 1), (3, 3)),
    "strides of two sizes": ({"kernel": (5, 3), "stride": (4, 2), "padding": ((3, 1), (0, 1))}, 24, (1, 1), (2, 2)),
    "a tile of channels": ({"channels": 8}, 32, (1, 1), (2, 2)),
    "more than a tile: lines alone": ({"channels": 9}, 18, (1, 2), (2, 3)),
    "an odd width: lines alone": ({"size": (8, 9)}, 6, (1, 2), (2, 3)),
    "windows that tile the image: lines alone": ({"size": (16, 16), "kernel": (8, 8), "stride": (8, 8),
                                                  "padding": ((0, 0), (0, 0))}, 24, (1, 8), (1, 8)),
    "two tiles of channels for sixteen lines": ({"size": (32, 32), "kernel": (16, 16), "stride": (16, 16),
                                                 "padding": ((0, 0), (0, 0))}, 48, (1, 16), (1, 16)),
    "half of the tiles of channels": ({"channels": 16}, 32, (1, 2), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDED)
def test_strides_become_channels(case: str):
    differs, channels, stride, kernel = FOLDED[case]
    graph = layer(**differs)
    after = run((channels_last,), graph, twice=True)
    agree(graph, after, tolerance=1e-5)
    found = convolution(after)
    assert (found.w.shape[1], found.stride, found.w.shape[2:]) == (channels, stride, kernel)


@pytest.mark.parametrize(
    ("height", "width", "strips"),
    [
        (112, 112, 7),
        (32, 64, 1),  # as long as a strip may be
        (64, 33, 2),  # one line of tiles more
        (48, 64, 2),
        (36, 64, 2),
        (33, 63, 1),  # no whole tiles
        (4, 1024, 2),
        (1, 4096, 1),  # no line of 4,096 pixels is short
    ],
)
def test_strips_are_the_fewest_that_are_short_and_whole_tiles(height: int, width: int, strips: int):
    assert _strips(height, width) == strips


def test_pixels_of_strips_stay_in_order():
    graph = layer(size=(128, 128))
    after = run((channels_last,), graph, twice=True)
    agree(graph, after, tolerance=1e-5)
    assert "f32[4,12,2048] = concat" in str(after)


KEPT = {
    "stride 1": {"stride": (1, 1)},
    "a stride along the width alone": {"stride": (1, 2)},
    "an odd height": {"size": (9, 8)},
    "more than half of the tiles of channels": {"channels": 17},
    "a kernel of one line": {"kernel": (1, 1), "padding": ((0, 0), (0, 0))},
    "dilation": {"dilation": 2},
    "groups": {"channels": 4, "groups": 2},
    "an end that is cut": {"size": (8, 8), "kernel": (3, 3), "padding": ((0, -3), (0, 0))},
    "a beginning that is cut": {"padding": ((-1, 1), (1, 1))},
}


@pytest.mark.parametrize("case", KEPT)
def test_strides_that_stay(case: str):
    graph = layer(**KEPT[case])
    after = run((channels_last,), graph, twice=True)
    agree(graph, after, tolerance=1e-5)
    assert convolution(after).stride == convolution(graph).stride


def test_what_is_in_rows_stays_there():
    graph = graph_of("""
        %x: f32[1,3,8,8] = input(name="x")
        %v: f32[3,3,1,1] = const(ref="v")
        %w: f32[8,3,3,3] = const(ref="w")
        %c: f32[1,3,8,8] = conv(x=%x, w=%v, stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1])
        %y: f32[1,8,4,4] = conv(x=%c, w=%w, stride=[2, 2], padding=[[1, 1], [1, 1]], dilation=[1, 1])
        return "y"=%y
    """)
    after = run((channels_last,), graph, twice=True)
    agree(graph, after, tolerance=1e-5)
    assert "slice" not in str(after)
