"""On a mock card: what a capture would record is what the warm-up did, at the same addresses, and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import ttc
from tests.cards import EACH_CARD
from tests.runtime.probing import probed


class Net(nn.Module):
    """A convolution, a recurrence, a product and an output that is a constant: programs of many kinds, many in L1."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, padding=1)
        self.recurrent = nn.GRU(32, 32)
        self.register_buffer("scale", torch.ones(32))

    def forward(self, x):
        rows = torch.relu(self.conv(x)).flatten(2).permute(2, 0, 1)[:4]
        return torch.softmax(self.recurrent(rows)[0] * 2, -1), x + 1, self.scale


@pytest.mark.parametrize("target", EACH_CARD)
def test_warm_up_and_what_a_capture_records_are_the_same(target: str, tmp_path: Path, ttnn_python: str):
    torch.manual_seed(0)
    ttc.compile(Net().eval(), (torch.randn(1, 3, 8, 8),), target=target).save(tmp_path / "net.ttc")
    found = probed(ttnn_python, "trace_probe", str(tmp_path / "net.ttc"))
    assert found["eager"] is None
    first, second, third = found["places"]
    assert second == third
    assert {place for place, _ in first} == {"L1", "DRAM"}
    in_l1 = [[address for place, address in run if place == "L1"] for run in found["places"]]
    assert in_l1[0] == in_l1[1], "TTNN makes other programs where the L1 in use is another"
    assert found["kept"][0] == found["kept"][1] == found["kept"][2], "a later run makes programs or keeps memory"
