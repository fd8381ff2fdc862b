"""The host's model stays as it is: state, hooks, copies, pickles, dtypes, and forwards when it is restored."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ttc
from tests.acceleration.models import Block, net
from ttc.acceleration.acceleration import Acceleration


def accelerated(model: nn.Module, *args: Any, **kwargs: Any) -> Acceleration:
    return ttc.accelerate(model, *args, device="emulator", dtype="fp32", **kwargs)


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_state_and_structure_are_those_of_the_model():
    model, _ = net()
    state, names, text = model.state_dict(), [name for name, _ in model.named_modules()], str(model)
    parameters = [id(each) for each in model.parameters()]
    with accelerated(model, ["head", "block"]):
        assert list(model.state_dict()) == list(state)
        assert [name for name, _ in model.named_modules()] == names
        assert [id(each) for each in model.parameters()] == parameters
        assert str(model) == text
        assert isinstance(model.head, nn.Linear)
        assert model.head.in_features == 32
        assert inspect.signature(model.block.forward) == inspect.signature(Block().forward)
        assert model.eval() is model


@torch.no_grad()
def test_an_acceleration_is_called_as_its_model():
    model, x = net()
    wanted = model(x)
    with accelerated(model, ["head"]) as acceleration:
        close(acceleration(x), wanted)
        close(acceleration(x=x), wanted)
        assert acceleration.tables["ops"].rows


@torch.no_grad()
def test_a_restored_model_has_its_own_forwards():
    model, x = net()
    wanted = model(x)
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    acceleration = accelerated(model, mode="DPL")
    model(x)
    acceleration.restore()
    acceleration.restore()
    assert {name: dict(vars(module)) for name, module in model.named_modules()} == before
    torch.testing.assert_close(model(x), wanted, rtol=0, atol=0)


@torch.no_grad()
def test_changed_weights_are_seen():
    model, x = net()
    with accelerated(model, ["head"]) as acceleration:
        model(x)
        for change in (
            lambda: model.head.weight.mul_(2),
            lambda: model.load_state_dict({key: item + 1 for key, item in model.state_dict().items()}),
            lambda: setattr(model.head, "bias", nn.Parameter(torch.ones(4))),
            lambda: setattr(model.head.weight, "data", torch.ones(4, 32)),
        ):
            change()
            close(model(x), nn.functional.linear(model.block(x), model.head.weight, model.head.bias))
        assert [row[3] for row in acceleration.tables["modules"].rows if row[2] == "compile"] == [5]
        model(x)
        assert [row[3] for row in acceleration.tables["modules"].rows if row[2] == "compile"] == [5]


@torch.no_grad()
def test_forget_is_for_changes_that_torch_does_not_count():
    class Scaled(nn.Module):
        scale = 2.0

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale

    model = Scaled().eval()
    with accelerated(model) as acceleration:
        x = torch.ones(2, 32)
        close(model(x), 2 * x)
        model.scale = 3.0
        acceleration.forget()
        close(model(x), 3 * x)


@torch.no_grad()
def test_a_model_in_another_dtype():
    model, x = net()
    with accelerated(model):
        model.to(torch.bfloat16)
        found = model(x.to(torch.bfloat16))
        assert found.dtype is torch.bfloat16
        model.float()
        assert model(x).dtype is torch.float32


def test_weights_of_inference_mode_are_refused():
    with torch.inference_mode():
        model = nn.Linear(32, 4).eval()
    with torch.no_grad(), accelerated(model), pytest.raises(ttc.TtcError, match="made under torch"):
        model(torch.ones(1, 32))


def test_inference_mode_runs_programs():
    model, x = net()
    with torch.inference_mode(), accelerated(model):
        found = model(x)
    with torch.no_grad():
        close(found, model(x))


@torch.no_grad()
def test_hooks_of_a_module_are_called_once():
    model, x = net()
    seen: list[str] = []
    model.block.register_forward_pre_hook(lambda module, args: seen.append("before"))
    model.block.register_forward_hook(lambda module, args, output: output + 1)
    wanted = model(x)
    seen.clear()
    with accelerated(model, ["block", "head"]):
        close(model(x), wanted)
        close(model(x), wanted)
    assert seen == ["before", "before"]


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "torch.save": lambda model: torch.load(_saved(model), weights_only=False),
}


def _saved(model: nn.Module) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("how", COPIES)
@torch.no_grad()
def test_a_copy_is_the_plain_model(how: str):
    model, x = net()
    wanted = model(x)
    with accelerated(model, ["block", "head"], mode="CPU") as acceleration:
        other = COPIES[how](model)
        torch.testing.assert_close(other(x), wanted, rtol=0, atol=0)
        assert not acceleration.tables["modules"].rows
    other.block.first.weight.zero_()
    assert not torch.equal(other(x), wanted), "its forwards are its own"
    with accelerated(other, ["block", "head"], mode="CPU") as acceleration:
        other(x)
    assert len(acceleration.tables["modules"].rows) == 2
    assert not set(map(id, other.modules())) & set(map(id, model.modules()))


@torch.no_grad()
def test_an_accelerated_model_can_be_compiled_and_exported():
    model, x = net()
    wanted = model(x)
    with accelerated(model, ["block", "head"]) as acceleration:
        close(ttc.compile(model, x, dtype="fp32")(x), wanted)
        torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), wanted)
    assert not acceleration.tables["modules"].rows


class Structured(nn.Module):
    """Keyword arguments, None, a dict in, a tuple with a constant out."""

    def forward(self, x: Tensor, *, more: dict[str, Any], scale: float = 1.0, mask: Tensor | None = None) -> Any:
        y = x * scale + more["a"][0]
        return {"y": y if mask is None else y * mask, "n": 3}, None


@torch.no_grad()
def test_structures_and_signatures():
    model = Structured().eval()
    x, more, mask = torch.randn(4, 32), {"a": [torch.randn(4, 32)]}, torch.ones(4, 32)
    calls = [{"more": more}, {"more": more, "scale": 2.0}, {"more": more, "mask": mask}, {"more": more}]
    wanted = [model(x, **call) for call in calls]
    with accelerated(model) as acceleration:
        for call, (other, nothing) in zip(calls, wanted, strict=True):
            found, none = model(x, **call)
            close(found["y"], other["y"])
            assert (found["n"], none, nothing) == (3, None, None)
        assert len(acceleration.standins[""].programs.known) == 3


class Passing(nn.Module):
    """Gives what is given, a result twice, and what the forward has changed."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        total = x + y
        return x, total, total, y.mul_(2)


class ChangedInPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.passing = Passing()

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        same, total, again, doubled = self.passing(x, y)
        same.add_(1)
        total.mul_(3)
        doubled.sub_(2)
        return x, y, same, total, again, doubled


@pytest.mark.parametrize("mode", ["NORMAL", "SEL", "DPL_NO_ERROR_PROP"])
@torch.no_grad()
def test_what_a_module_passes_on_is_the_tensor_that_it_was_given(mode):
    model, x, y = ChangedInPlace().eval(), torch.randn(2, 3), torch.randn(2, 3)
    wanted = model(x.clone(), y.clone())
    with accelerated(model, ["passing"], mode=mode):
        for found, expected in zip(model(x.clone(), y.clone()), wanted, strict=True):
            close(found, expected)
