"""Dilated convolutions over the phases of an axis: numbers at small sizes, and sizes at which nothing else fits."""

import pytest
import torch
from torch import nn

import ttc
from tests.backend.rules.padded_conv import PaddedConv
from tests.mock_cards import check
from ttc.backend.rules import conv
from ttc.backend.rules.dilated import Phases
from ttc.calls.conv import Conv2d
from ttc.errors import Refusal

CASES = {
    "line": ((2, 3, 11), 5, 3, (4, 4), {"dilation": 4}),
    "phases of one length": ((1, 3, 12), 5, 3, (4, 4), {"dilation": 4}),
    "uneven pads": ((2, 3, 11), 5, 2, (1, 6), {"dilation": 5}),
    "no pads": ((1, 3, 11), 5, 3, (0, 0), {"dilation": 3}),
    "both axes": ((2, 3, 9, 10), 4, 3, (3, 2, 2, 3), {"dilation": (2, 3)}),
    "the width alone": ((2, 3, 4, 9), 4, (2, 3), (2, 2, 1, 0), {"dilation": (1, 2)}),
    "the height of one tap": ((2, 3, 7, 9), 4, (1, 3), (2, 2, 0, 0), {"dilation": (5, 2)}),
    "a strided width": ((2, 3, 9, 9), 4, 3, (2, 2, 2, 2), {"dilation": 2, "stride": (1, 2)}),
    "groups": ((2, 4, 7, 6), 8, 3, (3, 3, 3, 3), {"dilation": 3, "groups": 4, "bias": False}),
    "planes": ((1, 2, 3, 7, 6), 3, 3, (2, 2, 2, 2, 1, 1), {"dilation": (1, 2, 2)}),
}


@pytest.fixture
def only_plain(monkeypatch):
    """Refuse whatever is dilated along an axis that can be cut, as if the windows reached too far for L1."""
    plan = conv.planned

    def planned(layer, x, to):
        if Phases.of(layer) is not None:
            raise Refusal("too far")
        return plan(layer, x, to)

    monkeypatch.setattr(conv, "planned", planned)


@pytest.mark.parametrize("name", CASES)
def test_phases_give_the_convolutions_numbers(name, only_plain):
    shape, out, kernel, pads, options = CASES[name]
    torch.manual_seed(0)
    model = PaddedConv(len(shape) - 2, shape[1], out, kernel, pads, **options).eval()
    x = torch.randn(shape)
    compiled = ttc.compile(model, (x,), dtype="fp32")
    calls = [node.op for node in compiled.build.program.graph.nodes if isinstance(node.op, Conv2d)]
    axes = [axis for call in calls for axis in zip(call.kernel_size, call.dilation, call.stride, strict=True)]
    assert axes
    assert all(taps == 1 or dilation == 1 or stride > 1 for taps, dilation, stride in axes)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "axis"),
    [
        ({"kernel_size": 3, "dilation": 2}, 0),
        ({"kernel_size": 3, "dilation": (1, 2)}, 1),
        ({"kernel_size": (1, 3), "dilation": 2}, 1),
        ({"kernel_size": 3, "dilation": 2, "stride": (2, 1)}, 1),
        ({"kernel_size": 3, "dilation": 2, "stride": 2}, None),  # windows that skip elements skip phases
        ({"kernel_size": (3, 1), "dilation": (1, 2)}, None),
        ({"kernel_size": 3}, None),
    ],
)
def test_which_axis_is_cut(options, axis, monkeypatch):
    """The first whose windows are dilated and not strided."""
    seen = []
    plan = conv.planned
    monkeypatch.setattr(conv, "planned", lambda layer, x, to: seen.append(Phases.of(layer)) or plan(layer, x, to))
    ttc.compile(nn.Conv2d(3, 4, **options).eval(), (torch.randn(1, 3, 12, 12),))
    assert [phases and phases.axis for phases in seen] == [axis]


@pytest.mark.parametrize(
    ("target", "channels", "size", "dilation"), [("n150", 960, 28, 24), ("n150", 2048, 65, 24), ("p150", 2048, 65, 36)]
)
def test_pyramids_of_dilated_convolutions_are_taken(target, channels, size, dilation):
    """DeepLabV3's, on images of 224 and 520 pixels, fit into L1 in no other way."""
    model = nn.Conv2d(channels, 256, 3, padding=dilation, dilation=dilation, bias=False).eval()
    compiled = ttc.compile(model, (torch.randn(1, channels, size, size),), target=target)
    report = check(compiled.build.program)
    assert report.ok, report
