"""A card, played by a stand-in of ttnn: opened once, shared by all modules, given back, and nothing left on it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
import torch
from torch import nn

import ttc
from tests.runtime.stand_in import StandIn, standing_in
from ttc.calls.target import target_named
from ttc.runtime.mock import MOCK_CARD
from ttc.runtime.run import devices


@pytest.fixture
def ttnn(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in() as found:
        device_ttnn = import_module("ttc.runtime.run.device_ttnn")  # made anew for the stand-in
        monkeypatch.setattr(devices, "_card_files", lambda: True)
        monkeypatch.delenv(MOCK_CARD, raising=False)
        monkeypatch.setattr(device_ttnn.TtnnDevice, "measured", lambda self: target_named("n150"))
        yield found


def products() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).eval()


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("device", ["ttnn", None])
@torch.no_grad()
def test_a_hundred_calls(ttnn: StandIn, device: str | None, free: bool):
    model, x = products(), torch.randn(3, 4)
    wanted = model(x)
    with ttc.accelerate(model, {nn.Linear}, device=device, dtype="fp32", free_after_use=free):
        torch.testing.assert_close(model(x), wanted)
        held = ttnn.held
        assert held == (0 if free else 4)
        for _ in range(100):
            model(x)
        assert ttnn.held == held
        assert ttnn.words("open", "close") == ["open"]
    assert ttnn.held == 0
    assert ttnn.words("open", "close") == ["open", "close"]
    assert not ttnn.words("begin")


@torch.no_grad()
def test_weights_leave_the_card_and_come_back(ttnn: StandIn):
    model, x = products(), torch.randn(3, 4)
    acceleration = ttc.accelerate(model, {nn.Linear}, dtype="fp32")
    assert not ttnn.words("open"), "a card is opened for the first program"
    wanted = model(x)
    acceleration.to_host()
    assert ttnn.held == 0
    assert ttnn.words("open", "close") == ["open"]
    acceleration.to_device()
    assert ttnn.held == 4
    torch.testing.assert_close(model(x), wanted)
    acceleration.restore()
    acceleration.restore()
    assert ttnn.words("open", "close") == ["open", "close"]
