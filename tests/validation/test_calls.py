"""A program on a card, call by call beside the emulator: the first call that departs is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import ttc
from tests.selftest.wrong import Wrong
from ttc.cli import main
from ttc.compiled import executable
from ttc.runtime.run.session import Session
from ttc.validation.calls import compare_calls


class Net(torch.nn.Module):
    """A product, gelu and a norm, of which the norm hides a factor."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = torch.nn.Linear(33, 64), torch.nn.LayerNorm(64)

    def forward(self, x):
        return self.norm(torch.erf(self.first(x)))


X = torch.linspace(-1, 1, 4 * 33).reshape(4, 33)


def compared(name: str):
    build = ttc.compile(Net().eval(), (X,)).build
    session = Session([build.bucket], build.weights, Wrong(name))
    return compare_calls(build, {"x": X.numpy()}, session, lambda what, steps: None)


def test_calls_are_compared_in_order_and_a_right_device_agrees():
    outputs, steps = compared("")
    assert [step.name.split(" ")[0] for step in steps if "typecast" not in step.name] == [
        "ttnn.linear",
        "ttnn.erf",
        "ttnn.layer_norm",
    ]
    assert {step.scaled_error for step in steps} == {0.0}
    assert list(outputs) == ["output"]


def test_the_first_call_that_departs_shows_by_its_error():
    _, steps = compared("ttnn.erf")
    errors = {step.name.split(" ")[0]: step.scaled_error for step in steps}
    assert errors["ttnn.linear"] == 0.0
    assert errors["ttnn.erf"] == pytest.approx(0.1, rel=0.1)


def test_the_command_names_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(Net().eval(), (X,)), path)
    np.save(tmp_path / "x.npy", X.numpy())
    device = Wrong("ttnn.erf", lambda x, times: x.flip(0))
    emulated = executable.open_device
    given = ["validate", str(path), "--inputs", str(tmp_path / "x.npy"), "--device", "ttnn", "--json"]
    monkeypatch.setattr(executable, "open_device", lambda name, *a: device if name == "ttnn" else emulated(name, *a))
    assert main([*given, "--per-op"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["departed"].startswith("ttnn.erf %")
    assert found["device"] == "ttnn"
    assert device.times == 1
    assert main(given) == 1
    assert "ops" not in json.loads(capsys.readouterr().out)


def test_without_a_card_the_command_says_so(tmp_path: Path, capsys):
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(Net().eval(), (X,)), path)
    assert main(["validate", str(path), "--device", "ttnn"]) == 2
    assert "there is no Tenstorrent card" in capsys.readouterr().err
