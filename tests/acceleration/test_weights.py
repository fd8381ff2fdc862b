"""The life of weights: ready on the host once, on the device, back, freed after use; and what calls leave behind."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn

import ttc
from tests.acceleration.models import Block, net
from ttc.acceleration.acceleration import Acceleration
from ttc.acceleration.program import resident_bytes
from ttc.calls.call import spec_of
from ttc.errors import InputError
from ttc.runtime.run.plan import plan


def rows(acceleration: Acceleration, what: str) -> dict[str, int]:
    """Return how often each module did something."""
    return {row[0]: row[3] for row in acceleration.tables["modules"].rows if row[2] == what}


@torch.no_grad()
def test_weights_go_to_the_device_and_back():
    model, x = net()
    with ttc.accelerate(model, {nn.Linear}, device="emulator") as acceleration:
        assert acceleration.host_bytes == acceleration.device_bytes == 0
        assert not acceleration.tables["weights"].rows
        wanted = model(x)
        weights = acceleration.tables["weights"]
        assert weights.columns == ("module", "kind", "programs", "host_bytes", "device_bytes")
        assert weights.rows[-1] == ("head", "Linear", 1, 2 * (32 * 4 + 4), 2 * (32 * 32 + 32 * 32))
        on_device = acceleration.device_bytes
        assert on_device == sum(row[4] for row in weights.rows)
        acceleration.to_host()
        acceleration.to_host()
        assert acceleration.device_bytes == 0 < acceleration.host_bytes
        acceleration.to_device()
        assert acceleration.device_bytes == on_device
        torch.testing.assert_close(model(x), wanted, rtol=0, atol=0)
        assert set(rows(acceleration, "preprocess").values()) == {1}
        assert set(rows(acceleration, "upload").values()) == {2}
    assert acceleration.device_bytes == acceleration.host_bytes == 0


@torch.no_grad()
def test_weights_are_freed_after_use():
    model, x = net()
    with ttc.accelerate(model, {nn.Linear}, device="emulator") as acceleration:
        wanted = model(x)
    with ttc.accelerate(model, {nn.Linear}, device="emulator", free_after_use=True) as acceleration:
        for _ in range(2):
            torch.testing.assert_close(model(x), wanted, rtol=0, atol=0)
            assert acceleration.device_bytes == 0 < acceleration.host_bytes
        assert rows(acceleration, "upload")["head"] == 2
        assert rows(acceleration, "preprocess")["head"] == 1


def test_bytes_that_stay_on_the_device_are_those_that_a_session_holds():
    """Also of a convolution, whose weights are prepared on the card: what they are prepared from goes."""
    model = nn.Sequential(nn.Conv2d(16, 32, 3), nn.Conv2d(32, 16, 1)).eval()
    executable = ttc.compile(model, torch.zeros(1, 16, 8, 8)).executable
    assert plan(executable.program.graph).setup
    with executable.session("emulator") as session:
        loaded = session._loaded[0]
        held = [value for value, number in loaded.numbers.items() if loaded._kept[number] is not None]
        assert resident_bytes(executable.program) == sum(spec_of(value).stored_bytes for value in held)


@torch.no_grad()
def test_programs_of_the_latest_calls_are_kept():
    model = nn.Linear(32, 4).eval()
    with ttc.accelerate(model, device="emulator", signatures=2) as acceleration:
        known = acceleration.standins[""].programs
        for size, programs, compiled in ((1, 1, 1), (2, 2, 2), (1, 2, 2), (3, 2, 3), (1, 2, 3), (2, 2, 4)):
            assert model(torch.ones(size, 32)).shape == (size, 4)
            assert len(known.known) == programs
            assert rows(acceleration, "compile")[""] == compiled
        assert acceleration.device_bytes == sum(program.device_bytes for program in known.known)


@torch.no_grad()
def test_a_refusal_is_remembered_without_its_tensors(monkeypatch: pytest.MonkeyPatch):
    class Refusing(nn.Module):
        seen = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen = self.seen + 1
            return x + 1

    model = Refusing().eval()
    how: dict[str, Any] = {"device": "emulator", "mode": "NORMAL_WITH_FALLBACK", "allow_fallback": "Refusing"}
    with ttc.accelerate(model, **how) as acceleration:
        given = []
        for _ in range(3):
            x = torch.ones(2, 32)
            given.append(weakref.ref(x))
            model(x)
        del x
        gc.collect()
        assert [each() for each in given] == [None] * 3
        assert rows(acceleration, "compile")[""] == 1
        assert acceleration.fallbacks[0].calls == 3


@pytest.mark.parametrize("mode", ["NORMAL", "SEL", "DPL", "DPL_NO_ERROR_PROP"])
@torch.no_grad()
def test_a_hundred_calls_leave_nothing_behind(mode: str):
    model, x = net()
    with ttc.accelerate(model, {Block, nn.Linear}, device="emulator", mode=mode) as acceleration:

        def objects() -> tuple[int, int]:
            gc.collect()
            held = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
            return len(held), sum(each.numel() for each in held)

        for _ in range(2):
            model(x)
        before, sizes = objects(), acceleration.device_bytes
        tables = {name: len(table.rows) for name, table in acceleration.tables.items()}
        for _ in range(100):
            model(x)
        assert objects() == before
        assert acceleration.device_bytes == sizes
        assert {name: len(table.rows) for name, table in acceleration.tables.items()} == tables
        assert rows(acceleration, "device") == {"block": 102, "head": 102}


@torch.no_grad()
def test_a_restored_model_holds_no_programs():
    model, x = net()
    acceleration = ttc.accelerate(model, device="emulator")
    model(x)
    session = weakref.ref(acceleration.standins[""].programs.known[0]._session)
    acceleration.restore()
    del acceleration
    gc.collect()
    assert session() is None


def test_weights_without_data():
    with torch.device("meta"):
        model = nn.Linear(32, 4).eval()
    with (
        torch.no_grad(),
        ttc.accelerate(model, device="emulator"),
        pytest.raises(InputError, match="Linear: a weight has no data"),
    ):
        model(torch.ones(1, 32))


class Growing(nn.Module):
    """A module that puts what it is given into a list, as caches do, and one that takes a list of any length."""

    def forward(self, x: torch.Tensor, rows: list[torch.Tensor] | None = None) -> torch.Tensor:
        if rows:
            rows[0] = torch.cat([rows[0], x])
            return rows[0].sum(0)
        return x + 1


@torch.no_grad()
def test_side_effects_are_found_once_for_all_sizes():
    model, rows_of = Growing().eval(), [torch.ones(1, 32)]
    how: dict[str, Any] = {"device": "emulator", "mode": "NORMAL_WITH_FALLBACK", "allow_fallback": "Growing"}
    with ttc.accelerate(model, **how) as acceleration:
        for _ in range(4):
            model(torch.ones(1, 32), rows_of)
        assert rows(acceleration, "compile")[""] == 1
        assert acceleration.fallbacks[0].calls == 4
        assert len(rows_of[0]) == 5
        assert model(torch.ones(1, 32)).mean() == 2, "another structure is tried"
        assert rows(acceleration, "device")[""] == 1
        acceleration.forget()
        model(torch.ones(1, 32), rows_of)
        assert rows(acceleration, "compile")[""] == 3


@torch.no_grad()
def test_a_refusal_of_one_size_is_none_of_others():
    model = nn.Linear(32, 4).eval()
    how: dict[str, Any] = {"device": "emulator", "mode": "NORMAL_WITH_FALLBACK", "allow_fallback": "Linear"}
    with ttc.accelerate(model, **how) as acceleration:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            model(torch.ones(1, 31))
        assert model(torch.ones(1, 32)).shape == (1, 4)
        assert rows(acceleration, "device") == {"": 1}


@torch.no_grad()
def test_weights_that_do_not_fit(monkeypatch: pytest.MonkeyPatch):
    from ttc.calls.target import Target

    model, x = net()
    taken = 2 * (32 * 64 + 32 * 64)  # of the first product: weight and bias, in tiles
    monkeypatch.setattr(Target, "dram_bytes", property(lambda self: taken + 2 * (64 * 32 + 32 * 32)))
    with ttc.accelerate(model, {nn.Linear}, device="emulator") as acceleration:
        with pytest.raises(
            ttc.TtcError, match=r"Linear 'head': 4,096 bytes of weights do not fit on n150 beside the 14,336"
        ):
            model(x)
        acceleration.to_host()
        assert model.head(x).shape == (8, 4)
    with ttc.accelerate(model, {nn.Linear}, device="emulator", free_after_use=True):
        model(x)
