"""Convolutions of a few channels with long kernels along a line, as products of frames."""

from __future__ import annotations

import pytest
import torch

import ttc
from tests.mock_cards import check
from tests.passes.check import agree, body, near_miss, retyped, rewrites
from ttc.passes.decompose.decompose import decompose
from ttc.passes.runner import run

LONG = """
%x: f32[1,1,300] = input(name="x")
%w: f32[4,1,64] = const(ref="w")
%b: f32[4] = const(ref="b")
%y: f32[1,4,60] = conv(x=%x, w=%w, bias=%b, stride=[4], padding=[[0, 0]], dilation=[1])
return "y"=%y
"""


def test_text():
    """A stride of a tile at the least: one window in a block, and the line cut to whole blocks."""
    rewrites(
        decompose,
        """
        %x: f32[1,1,255] = input(name="x")
        %w: f32[8,1,127] = const(ref="w")
        %y: f32[1,8,3] = conv(x=%x, w=%w, stride=[64], padding=[[0, 0]], dilation=[1], activation="relu")
        return "y"=%y
        """,
        """
        %x: f32[1,1,255] = input(name="x")
        %w: f32[8,1,127] = const(ref="w")
        %y: f32[1,1,256] = pad(x=%x, pads=[[0, 0], [0, 0], [0, 1]])
        %y_2: f32[1,4,64] = reshape(x=%y, shape=[1, 4, 64])
        %y_3: f32[1,3,64] = slice(x=%y_2, starts=[0, 0, 0], ends=[1, 3, 64])
        %y_4: f32[1,3,64] = slice(x=%y_2, starts=[0, 1, 0], ends=[1, 4, 64])
        %y_5: f32[1,3,128] = concat(xs=[%y_3, %y_4], dim=2)
        %w_0: f32[8,1,128] = pad(x=%w, pads=[[0, 0], [0, 0], [0, 1]])
        %w_3: f32[8,128] = reshape(x=%w_0, shape=[8, 128])
        %y_6: f32[1,3,8] = linear(x=%y_5, w=%w_3, activation="relu")
        %y_7: f32[1,8,3] = permute(x=%y_6, dims=[0, 2, 1])
        return "y"=%y_7
        """,
        tolerance=1e-5,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("w: f32[4,1,64]", "w: f32[4,1,63]"),
        ("dilation=[1]", "dilation=[2]"),
        ("%x: f32[1,1,300]", "%x: f32[0,1,300]"),
        ('%w: f32[4,1,64] = const(ref="w")', '%w: f32[4,1,64] = input(name="w")'),
    ],
    ids=["a shorter kernel", "a dilation", "no sample", "a weight of run time"],
)
def test_near_misses(old: str, new: str):
    near_miss(LONG, old, new, "linear", decompose)


@pytest.mark.parametrize(("channels", "framed"), [(1, True), (2, True), (3, False)])
def test_channels_are_few(channels: int, framed: bool):
    text = LONG.replace("[1,1,300]", f"[1,{channels},300]").replace("[4,1,64]", f"[4,{channels},64]")
    assert ("linear" in body(run((decompose,), retyped(text)))) is framed


def test_groups_stay():
    text = LONG.replace("[1,1,300]", "[1,2,300]").replace("dilation=[1]", "dilation=[1], groups=2")
    assert "linear" not in body(run((decompose,), retyped(text)))


@pytest.mark.parametrize("stride", [1, 3, 31, 32, 33, 64, 200])
@pytest.mark.parametrize("pads", ["[[0, 0]]", "[[63, 0]]", "[[2, 70]]", "[[-3, -5]]"])
@pytest.mark.parametrize("batch", [1, 3])
def test_numbers(stride: int, pads: str, batch: int):
    """Windows that end in a block, at its end and beyond; results that are no multiple of a block's windows."""
    text = LONG.replace("[1,1,300]", f"[{batch},2,300]").replace("[4,1,64]", "[4,2,64]")
    before = retyped(text.replace("stride=[4]", f"stride=[{stride}]").replace("[[0, 0]]", pads))
    after = run((decompose,), before)
    assert "linear" in body(after)
    agree(before, after, 2e-6)


def test_a_kernel_as_long_as_its_line():
    before = retyped(LONG.replace("[1,1,300]", "[1,1,64]"))
    after = run((decompose,), before)
    assert "linear" in body(after)
    agree(before, after, 2e-6)


@pytest.mark.parametrize("card", ["n150", "p150"])
def test_the_real_library_takes_what_no_convolution_does(card: str):
    """Moonshine's first layer: 64 samples further each time, 127 of them in a window."""
    model = torch.nn.Conv1d(1, 288, 127, 64, bias=False).eval()
    x = torch.randn(1, 1, 16000, generator=torch.Generator().manual_seed(0))
    compiled = ttc.compile(model, (x,), target=card, dtype="fp32")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    report = check(compiled.variant(dtype="bf16").build.program)
    assert report.ok, report
