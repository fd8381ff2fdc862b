"""The emulated forms of prepared weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ttc
from ttc.runtime.emulator import native
from ttc.runtime.emulator.conv import blocks, dense


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_dense_weights_hold_the_groups_on_their_diagonal(groups):
    weight = torch.randn(8, 4 // groups, 3, 3)
    spread = dense(weight, groups)
    assert spread.shape[:2] == (8, weight.shape[1] * groups)
    assert torch.equal(blocks(spread, groups), weight)
    assert spread.count_nonzero() == weight.count_nonzero()


def test_dense_convolution_equals_the_grouped_one():
    x, weight = torch.randn(1, 6, 5, 5), torch.randn(4, 3, 3, 3)
    wanted = torch.nn.functional.conv2d(x, weight, groups=2)
    assert torch.allclose(torch.nn.functional.conv2d(x, dense(weight, 2)), wanted, atol=1e-5)


class Net(nn.Module):
    def __init__(self, activation, pads, channels, **options):
        super().__init__()
        self.conv = nn.Conv2d(channels, 24, 3, **options)
        self.activation, self.pads = activation, pads
        for parameter in self.parameters():
            parameter.data = parameter.data.bfloat16().float()

    def forward(self, x):
        y = self.conv(F.pad(x, self.pads))
        return self.activation(y) if self.activation else y


@pytest.mark.parametrize(
    ("activation", "pads", "channels", "options"),
    [
        (None, (1, 1, 1, 1), 16, {}),
        (torch.relu, (1, 1, 2, 2), 16, {"stride": 2}),
        (F.silu, (0, 2, 1, 0), 16, {"dilation": 2}),
        (F.gelu, (1, 1, 1, 1), 24, {"groups": 24}),
        (None, (1, 0, 1, 1), 24, {"groups": 4, "bias": False}),
        (None, (1, 1, 1, 1), 1, {"bias": False}),
    ],
)
def test_bf16_is_rounded_once_however_it_is_computed(activation, pads, channels, options, monkeypatch):
    torch.manual_seed(0)
    model = Net(activation, pads, channels, **options).eval()
    x = torch.randn(2, channels, 17, 13).bfloat16().float()
    compiled = ttc.compile(model, (x,), dtype="bf16")
    assert [node.op.mnemonic for node in compiled.build.program.graph.nodes].count("ttnn.conv2d") == 1
    first = compiled(x)
    monkeypatch.setattr(native, "native_bf16", lambda: False)
    second = compiled(x)
    with torch.no_grad():
        exact = model.double()(x.double()).bfloat16().float()
    for found in (first, second):
        assert (found == exact).float().mean() > 0.99
        torch.testing.assert_close(found, exact, rtol=2.0**-7, atol=1e-4)
