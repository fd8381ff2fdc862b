"""Run modes: the side that computes, the numbers that go on, and the module that a comparison blames."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ttc
from tests.acceleration.models import Block, Net, net
from ttc.acceleration.acceleration import Acceleration
from ttc.acceleration.modes import Mode
from ttc.acceleration.twin import Twin
from ttc.errors import Refused, TtcError

COMPARING = ["SEL", "DPL", "DPL_NO_ERROR_PROP"]


class Wrong(nn.Linear):
    """A product that is wrong once it is compiled."""

    def forward(self, input: Tensor) -> Tensor:
        found = super().forward(input)
        return found.flip(-1) if torch.compiler.is_exporting() else found


class Counting(nn.Module):
    """A module that cannot be compiled."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * 2


def wrong_net() -> tuple[Net, Tensor]:
    model, x = net()
    first = Wrong(32, 64)
    first.load_state_dict(model.block.first.state_dict())
    model.block.first = first.eval()
    return model, x


def compared(acceleration: Acceleration) -> dict[str, float]:
    """Return the PCC of each module, in the order of the first calls."""
    table = acceleration.tables["comparisons"]
    return dict(zip(*(zip(*((row[0], row[3]) for row in table.rows), strict=True)), strict=True))


def run(mode: str, model: nn.Module, x: Tensor, replace: set | None = None) -> tuple[Tensor, Acceleration]:
    with torch.no_grad(), ttc.accelerate(model, replace, device="emulator", mode=mode) as acceleration:
        return model(x), acceleration


LEAVES = {nn.Linear, nn.LayerNorm, Wrong}


@pytest.mark.parametrize("mode", COMPARING)
def test_a_comparison_blames_the_module_that_is_wrong(mode: str):
    model, x = wrong_net()
    _, acceleration = run(mode, model, x, LEAVES)
    found = compared(acceleration)
    departed = [name for name, pcc in found.items() if pcc < 0.99]
    assert departed[0] == "block.first"
    if mode == "DPL":
        assert departed[1:] == list(found)[list(found).index("block.first") + 1 :], "an error goes on"
    else:
        assert len(departed) == 1, "each module is judged by what the other side gives for the same numbers"


@pytest.mark.parametrize("mode", COMPARING)
def test_a_right_model_has_no_departure(mode: str):
    model, x = net()
    _, acceleration = run(mode, model, x, {nn.Linear, nn.LayerNorm})
    found = compared(acceleration)
    assert list(found) == [
        "block.norm",
        "block.first",
        "block.second",
        "head",
    ]
    assert min(found.values()) > 0.999
    assert all(row[2] == 1 for row in acceleration.tables["comparisons"].rows)


def test_the_numbers_that_go_on():
    model, x = wrong_net()
    with torch.no_grad():
        wanted = model(x)
    found = {mode.name: run(mode.name, model, x, LEAVES)[0] for mode in Mode}
    for mode in ("CPU", "DPL_NO_ERROR_PROP"):
        torch.testing.assert_close(found[mode], wanted, rtol=0, atol=0)
    for mode in ("NORMAL_WITH_FALLBACK", "SEL", "DPL"):
        torch.testing.assert_close(found[mode], found["NORMAL"], rtol=0, atol=0)
        assert type(found[mode]) is Tensor
    assert (found["NORMAL"] - wanted).abs().max() > 0.1


def test_on_the_cpu_nothing_is_compiled():
    model, x = net()
    _, acceleration = run("CPU", model.train(), x)
    assert {row[2] for row in acceleration.tables["modules"].rows} == {"torch"}


def test_both_sides_of_a_module_that_changes_its_argument():
    class Added(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x += 1
            return x * 2

    model = nn.Sequential(Added(), Added()).eval()
    for mode in ("NORMAL", *COMPARING):
        x = torch.zeros(4, 32)
        found, acceleration = run(mode, model, x, {Added})
        torch.testing.assert_close(found, torch.full((4, 32), 6.0))
        torch.testing.assert_close(x, torch.ones(4, 32))
        if mode != "NORMAL":
            assert compared(acceleration) == {"0": 1.0, "1": 1.0}


# ------------------------------------------------------------ fallbacks


def mixed() -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 32), Counting(), nn.Linear(32, 8)).eval(), torch.randn(8, 32)


def test_what_cannot_be_compiled_is_an_error_that_names_the_module():
    model, x = mixed()
    with pytest.raises(Refused, match=r"Counting '1': its forward changes its attribute 'calls'"):
        run("NORMAL", model, x)


@pytest.mark.parametrize("replace", [None, {nn.Linear, Counting}])
def test_a_fallback_is_counted_named_timed_and_no_pass(replace: set | None):
    model, x = mixed()
    with torch.no_grad():
        wanted = model(x)
    acceleration = ttc.accelerate(model, replace, device="emulator", dtype="fp32", mode="NORMAL_WITH_FALLBACK")

    def block() -> None:
        with acceleration, torch.no_grad():
            torch.testing.assert_close(model(x), wanted, rtol=1e-4, atol=1e-4)
            model(x)

    gate = r"^2 calls fell back to torch, for 0\.\d+ s:\n  Counting '1', 2 calls: its forward changes"
    with pytest.raises(TtcError, match=gate):
        block()
    (fallback,) = acceleration.fallbacks
    assert (fallback.module, fallback.kind, fallback.calls) == ("1", "Counting", 2)
    assert 0 < fallback.seconds < 10


@pytest.mark.parametrize("allowed", [{Counting}, "Counting", ["1"]])
def test_a_fallback_that_is_allowed_passes(allowed: object):
    model, x = mixed()
    with (
        torch.no_grad(),
        ttc.accelerate(
            model,
            {Counting},
            device="emulator",
            mode="NORMAL_WITH_FALLBACK",
            allow_fallback=allowed,  # pyright: ignore[reportArgumentType]
        ) as acceleration,
    ):
        model(x)
    assert len(acceleration.fallbacks) == 1


def test_an_error_in_the_block_is_not_hidden_by_the_fallbacks():
    model, x = mixed()

    def block() -> None:
        with torch.no_grad(), ttc.accelerate(model, {Counting}, device="emulator", mode="NORMAL_WITH_FALLBACK"):
            model(x)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert "forward" not in vars(model[1])


def test_modules_inside_of_a_fallback_run_on_the_device():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.sort = nn.Linear(32, 32), Counting()

        def forward(self, x: Tensor) -> Tensor:
            return self.sort(self.inner(x))

    model = nn.Sequential(Outer()).eval()
    with (
        torch.no_grad(),
        ttc.accelerate(
            model, {Outer, nn.Linear}, device="emulator", mode="NORMAL_WITH_FALLBACK", allow_fallback=[Outer]
        ) as acceleration,
    ):
        model(torch.randn(8, 32))
    ran = {row[0] for row in acceleration.tables["modules"].rows if row[2] == "device"}
    assert ran == {"0.inner"}


def test_a_run_that_fails_falls_back(monkeypatch: pytest.MonkeyPatch):
    from ttc.acceleration.program import ModuleProgram

    def fail(*_: object) -> None:
        raise Refused([("x", "no room")])

    monkeypatch.setattr(ModuleProgram, "run", fail)
    model, x = net()
    with pytest.raises(Refused, match="no room"):
        run("NORMAL", model, x, {Block})
    with pytest.raises(TtcError, match="no room"):
        run("NORMAL_WITH_FALLBACK", model, x, {Block})


def test_a_model_that_does_not_compile_is_split():
    model, x = mixed()
    outer = nn.Sequential(Block(), model).eval()
    with torch.no_grad(), ttc.accelerate(outer, exclude=[Counting], device="emulator") as acceleration:
        outer(x)
    ran = {row[0] for row in acceleration.tables["modules"].rows if row[2] == "device"}
    assert ran == {"0", "1.0", "1.2"}
    assert not acceleration.fallbacks


def test_twins_leave_a_model_as_plain_tensors_in_containers():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(32, 4)

        def forward(self, x: Tensor) -> dict[str, tuple[Tensor, int]]:
            y = self.fc(x)
            assert isinstance(y, Twin)
            return {"y": (torch.cat([y, y], 1) + 1, 3)}

    torch.manual_seed(0)
    model = Named().eval()
    found, acceleration = run("DPL", model, torch.randn(4, 32), {nn.Linear})
    assert type(found["y"][0]) is Tensor
    assert found["y"][1] == 3
    assert not model._forward_hooks
    assert list(compared(acceleration)) == ["fc"]


def test_a_split_is_counted_and_no_fallback():
    class Outer(Counting):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(super().forward(x))

    model = Outer().eval()
    with torch.no_grad(), ttc.accelerate(model, device="emulator") as acceleration:
        model(torch.randn(8, 32))
    (split,) = acceleration.tables["in_torch"].rows
    assert split[:3] == ("", "Outer", True)
    assert split[4] == 1
    assert not acceleration.fallbacks
    assert {row[0] for row in acceleration.tables["modules"].rows if row[2] == "device"} == {"inner"}
