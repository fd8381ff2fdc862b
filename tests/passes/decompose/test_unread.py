"""Kernels of which elements read padding alone, against torch: every limit from both sides."""

import pytest
import torch

from tests.passes.check import agree, graph_of, near_miss, rewrites
from ttc import ops
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run


def test_the_middle_of_a_kernel_is_left():
    rewrites(
        decompose,
        """
        %x: f32[1,8,4] = input(name="x")
        %w: f32[8,8,3] = const(ref="w")
        %b: f32[8] = const(ref="b")
        %y: f32[1,8,4] = conv(x=%x, w=%w, bias=%b, stride=[1], padding=[[9, 9]], dilation=[9], activation="relu")
        return "y"=%y
        """,
        """
        %x: f32[1,8,4] = input(name="x")
        %w: f32[8,8,3] = const(ref="w")
        %b: f32[8] = const(ref="b")
        %w_0: f32[8,8,1] = slice(x=%w, starts=[0, 0, 1], ends=[8, 8, 2])
        %y: f32[1,8,4] = conv(x=%x, w=%w_0, bias=%b, stride=[1], padding=[[0, 0]], dilation=[9], activation="relu")
        return "y"=%y
        """,
    )


@pytest.mark.parametrize(
    ("size", "taps", "stride", "pads", "dilation", "left"),
    [
        (4, 3, 1, (4, 4), 4, 1),  # the first tap's last element lies one before x
        (5, 3, 1, (4, 4), 4, 3),  # and here on x's first
        (4, 3, 1, (5, 4), 4, 2),  # five windows: the last tap meets nothing, the first tap x's first
        (4, 3, 1, (4, 5), 4, 2),
        (4, 5, 1, (8, 8), 4, 1),  # two on each side
        (4, 5, 1, (7, 9), 4, 2),  # the second tap begins within padding and reaches x
        (4, 2, 1, (4, 0), 4, 1),  # only before
        (4, 2, 1, (0, 4), 4, 1),  # only after
        (4, 2, 3, (4, 3), 4, 2),  # strides: the second window of the first tap lies beyond the first element
        (6, 3, 2, (6, 6), 6, 1),  # strides: the first tap's last element lies at -2
        (6, 3, 2, (6, 6), 5, 3),  # and here at 0
        (2, 3, 1, (5, 6), 6, 2),  # the first tap has not enough padding of its own to leave
        (2, 3, 1, (6, 5), 6, 2),
        (3, 1, 1, (3, 3), 2, 1),  # one tap stays, whatever it reads
        (1, 3, 1, (1, 1), 1, 1),
    ],
)
def test_taps_that_are_left(size, taps, stride, pads, dilation, left):
    x, w = torch.ones(1, 1, size), torch.ones(1, 1, taps)
    count = torch.conv1d(torch.nn.functional.pad(x, pads), w, None, stride, 0, dilation).shape[2]
    graph = graph_of(
        f"""
        %x: f32[1,2,{size}] = input(name="x")
        %w: f32[3,2,{taps}] = const(ref="w")
        %y: f32[1,3,{count}] = conv(x=%x, w=%w, stride=[{stride}], padding=[{list(pads)}], dilation=[{dilation}])
        return "y"=%y
        """
    )
    after = run((decompose,), graph, twice=True)
    (conv,) = (node.op for node in after.nodes if isinstance(node.op, ops.Conv))
    assert conv.w.shape[2] == left
    agree(graph, after)


PATCHES = """
%x: f32[1,3,9,8] = input(name="x")
%w: f32[5,3,4,4] = const(ref="w")
%y: f32[1,5,2,2] = conv(x=%x, w=%w, stride=[4, 4], padding=[[0, 0], [0, 0]], dilation=[1, 1])
return "y"=%y
"""


def test_lines_that_no_patch_reaches_are_cut():
    rewrites(
        decompose,
        PATCHES,
        """
        %x: f32[1,3,9,8] = input(name="x")
        %w: f32[5,3,4,4] = const(ref="w")
        %y: f32[1,3,8,8] = slice(x=%x, starts=[0, 0, 0, 0], ends=[1, 3, 8, 8])
        %y_0: f32[1,5,2,2] = conv(x=%y, w=%w, stride=[4, 4], padding=[[0, 0], [0, 0]], dilation=[1, 1])
        return "y"=%y_0
        """,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stride=[4, 4]", "stride=[4, 3]"),
        ("padding=[[0, 0], [0, 0]]", "padding=[[0, 0], [0, 1]]"),
        ("f32[1,3,9,8]", "f32[1,3,8,8]"),
        ("dilation=[1, 1]", "dilation=[2, 1]"),
    ],
)
def test_other_images_stay_whole(old, new):
    near_miss(PATCHES, old, new, "slice(x=%x", decompose)
