"""Convolutions by halves: numbers at small sizes, what has no halves, and sizes at which nothing else fits."""

import pytest
import torch
from torch import nn

import ttc
from tests.backend.rules.padded_conv import PaddedConv
from tests.mock_cards import check
from ttc.backend.rules import conv
from ttc.calls.conv import Conv2d
from ttc.errors import Refusal, Refused


def only(monkeypatch: pytest.MonkeyPatch, windows: int, channels: int = 10**6) -> None:
    """Refuse convolutions of more windows along an axis, or of more channels, as if L1 held no more."""
    plan = conv.planned

    def planned(layer, x, to):
        if max(layer.counts) > windows or layer.w.shape[0] > channels:
            raise Refusal("too large")
        return plan(layer, x, to)

    monkeypatch.setattr(conv, "planned", planned)


CASES = {
    "line": ((2, 3, 11), 5, 3, (1, 1), {}),
    "strides": ((1, 3, 13), 5, 4, (2, 1), {"stride": 3}),
    "strides that skip": ((1, 3, 17), 5, 2, (0, 0), {"stride": 4}),
    "strides and dilation": ((2, 3, 17), 5, 3, (3, 2), {"stride": 2, "dilation": 2}),
    "image": ((2, 3, 9, 10), 4, 3, (1, 1, 1, 1), {}),
    "the width": ((2, 3, 4, 9), 4, (2, 3), (2, 2, 1, 0), {}),
    "groups": ((2, 4, 7, 6), 8, 3, (1, 1, 1, 1), {"groups": 4, "bias": False}),
    "planes": ((1, 2, 3, 7, 6), 3, 3, (1, 1, 1, 1, 1, 1), {}),
}


def compare(model: nn.Module, x: torch.Tensor) -> list[Conv2d]:
    """Assert torch's numbers; return the convolutions."""
    compiled = ttc.compile(model.eval(), (x,), dtype="fp32")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-5)
    return [node.op for node in compiled.build.program.graph.nodes if isinstance(node.op, Conv2d)]


@pytest.mark.parametrize("windows", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_halves_of_windows_give_the_convolutions_numbers(name, windows, monkeypatch):
    only(monkeypatch, windows)
    shape, out, kernel, pads, options = CASES[name]
    torch.manual_seed(0)
    calls = compare(PaddedConv(len(shape) - 2, shape[1], out, kernel, pads, **options), torch.randn(shape))
    assert len(calls) > 1
    assert all(max(call.window.output) <= windows for call in calls)


@pytest.mark.parametrize("bias", [True, False])
def test_halves_of_channels_are_whole_tiles(bias, monkeypatch):
    only(monkeypatch, 100, channels=64)
    torch.manual_seed(0)
    calls = compare(PaddedConv(1, 3, 129, 3, (1, 1), bias=bias), torch.randn(1, 3, 7))
    assert [call.out_channels for call in calls] == [64, 32, 33]


@pytest.mark.parametrize(
    ("shape", "out", "options", "windows", "channels"),
    [
        ((1, 3, 3), 32, {}, 100, 31),  # one tile of channels, one window
        ((1, 4, 3), 64, {"groups": 2}, 100, 63),  # channels of groups stay together
        ((1, 3, 3), 5, {}, 0, 100),
    ],
)
def test_a_refusal_has_the_sizes_of_the_whole(shape, out, options, windows, channels, monkeypatch):
    only(monkeypatch, windows, channels)
    with pytest.raises(Refused, match="too large"):
        ttc.compile(PaddedConv(1, shape[1], out, 3, (0, 0), **options).eval(), (torch.randn(shape),))


def test_a_half_of_padding_alone_is_none(monkeypatch):
    only(monkeypatch, 3)
    with pytest.raises(Refused, match="too large"):
        ttc.compile(PaddedConv(1, 3, 5, 1, (9, 0)).eval(), (torch.randn(1, 3, 1),))


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Conv1d(64, 24576, 3, padding=1), (1, 64, 400)),  # UnivNet's kernels, of 24,576 channels
        (nn.Conv2d(3, 1152, 14, 14), (1, 3, 384, 384)),  # SigLIP's patches, of 378 of 384 pixels
        (nn.Conv2d(512, 64, 3, padding=1), (1, 512, 4000, 20)),  # lines of no whole tiles: TTNN has no slices for them
        (nn.Conv2d(64, 32, (5, 2), padding=(2, 0)), (1, 64, 3000, 2)),  # turned: TTNN's index has no room for the lines
    ],
)
def test_large_convolutions_are_taken(model, shape):
    report = check(ttc.compile(model.eval(), (torch.randn(shape),), target="n150").build.program)
    assert report.ok, report


@pytest.mark.parametrize(
    ("shape", "kernel", "is_turned"),
    [
        ((2, 3, 7, 1), (3, 1), True),
        ((2, 3, 7, 3), (3, 2), True),
        ((1, 3, 7, 3), (3, 1), False),  # three pixels are a run with an index
        ((1, 3, 2, 3), (3, 2), False),  # not higher than wide
    ],
)
def test_narrow_images_are_turned(shape, kernel, is_turned, monkeypatch):
    plan, seen = conv.planned, []

    def planned(layer, x, to):
        seen.append(layer.counts)
        if len(seen) == 1:
            raise Refusal("no room for the index")
        return plan(layer, x, to)

    monkeypatch.setattr(conv, "planned", planned)
    torch.manual_seed(0)
    compare(nn.Conv2d(3, 5, kernel, padding=(1, 0)), torch.randn(shape))
    assert (seen[1] == seen[0][::-1]) == is_turned
