"""Settings of torch that a user has on: they are for the user's own tensors, and change no number of ttc's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from ttc.errors import InputError


class Counting(nn.Module):
    """Products, a norm, a number and a recurrence, beside a state that each run adds to."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm, self.steps = nn.Linear(32, 32), nn.LayerNorm(32), nn.LSTM(32, 32)
        self.register_buffer("seen", torch.zeros(4, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += x
        return self.steps(self.norm(self.inner(x)))[0] @ self.seen.transpose(0, 1) + 0.5


@contextmanager
def in_float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "float64": in_float64,
    "gradients": torch.enable_grad,
}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Counting().eval()


X = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32)


def three_runs(compiled: Any, settings: Callable[[], AbstractContextManager[Any]] = nullcontext) -> list[np.ndarray]:
    """Run a session under the settings, without them, and under them again."""
    session, found = compiled.session("emulator"), []
    for scope in (settings, nullcontext, settings):
        with scope():
            found.append(session.run(X)["output"])
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_runs_do_not_depend_on_them(model: nn.Module, name: str):
    for dtype in ("fp32", "bf16"):
        compiled = ttc.compile(model, (torch.from_numpy(X),), dtype=dtype)
        for found, other in zip(three_runs(compiled, SETTINGS[name]), three_runs(compiled), strict=True):
            np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize("name", ["inference_mode", "float64", "gradients"])
def test_programs_do_not_depend_on_them(model: nn.Module, name: str):
    wanted = ttc.compile(model, (torch.from_numpy(X),)).build.program.graph
    with SETTINGS[name]():
        within = ttc.compile(model, (torch.from_numpy(X),))
    assert str(within.build.program.graph) == str(wanted)
    for found, other in zip(three_runs(within), three_runs(ttc.compile(model, (torch.from_numpy(X),))), strict=True):
        np.testing.assert_array_equal(found, other)


def test_an_autocast_is_named(model: nn.Module):
    accelerated = ttc.accelerate(model, replace={nn.Linear}, device="emulator")
    with torch.no_grad(), SETTINGS["autocast"]():
        with pytest.raises(InputError, match="autocast is on, and dtype= says"):
            ttc.compile(model, (torch.from_numpy(X),))
        with pytest.raises(InputError, match="autocast is on, and dtype= says"):
            accelerated(torch.from_numpy(X))
    with torch.no_grad():
        assert accelerated(torch.from_numpy(X)).shape == (4, 4)


def test_the_users_default_device_is_for_the_users_own_tensors():
    """Tables that ttc makes have numbers where a model is built and compiled under `with torch.device("meta")`."""

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.inner(x)
            return torch.cumsum(y * (torch.arange(8) > 2), -1)

    with torch.device("meta"):
        within = ttc.compile(Model().eval(), (torch.zeros(2, 8),))
        assert Model()(torch.zeros(2, 8)).is_meta
    assert str(within.build.program.graph) == str(ttc.compile(Model().eval(), (torch.zeros(2, 8),)).build.program.graph)
