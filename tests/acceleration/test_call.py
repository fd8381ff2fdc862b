"""Calls that no program can serve: each gives a sentence with the module's name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from transformers.cache_utils import DynamicCache

import ttc
from tests.acceleration.models import net
from ttc.acceleration.call import require_values
from ttc.acceleration.trees import tensors
from ttc.acceleration.twin import wanted_side
from ttc.errors import InputError, Refused, TtcError
from ttc.frontend.export.caches import register_caches


def refused(model: nn.Module, message: str, *args: Any, error: type = InputError, **kwargs: Any) -> None:
    accelerated = ttc.accelerate(model, device="emulator", **kwargs)
    with accelerated, torch.no_grad(), pytest.raises(error, match=re.escape(message)):
        model(*args)


def test_training():
    model, x = net()
    refused(model.train(), "Net is in training mode, and programs only infer: call model.eval()", x)
    model.eval().head.train()
    refused(model, "Net is in training mode", x)
    refused(model, "Linear 'head' is in training mode", x, replace=["head"])


def test_a_gradient():
    model, x = net()
    message = "Linear 'head' is called for a gradient, and programs only infer: use torch.no_grad()"
    with ttc.accelerate(model, ["head"], device="emulator"):
        with pytest.raises(InputError, match=re.escape(message)):
            model(x)
        model.requires_grad_(False)
        assert model(x).shape == (8, 4)
        with pytest.raises(InputError, match=re.escape(message)):
            model(x.requires_grad_())
        with torch.no_grad():
            assert not model(x).requires_grad


def test_an_empty_batch():
    model, x = net()
    refused(model, "Net is given an empty tensor [0, 32]: there is nothing to run", x[:0])
    refused(model, "Linear 'head' is given an empty tensor [0, 32]", x[:0], replace=["head"])
    with (
        torch.no_grad(),
        ttc.accelerate(model, ["head"], device="emulator", mode="NORMAL_WITH_FALLBACK", allow_fallback=["head"]),
    ):
        assert model(x[:0]).shape == (0, 4)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.bool])
def test_another_dtype_than_the_weights(dtype: torch.dtype):
    model, x = net()
    accelerated = ttc.accelerate(model, ["head"], device="emulator")
    with accelerated, torch.no_grad(), pytest.raises(TtcError, match=r"Linear 'head': .*dtype"):
        model.head(x.to(dtype))


def test_a_tensor_that_holds_no_elements_one_by_one():
    model, x = net()
    refused(model.head, "Linear: an argument is a torch.sparse_coo tensor", x.to_sparse())


@dataclass
class Box:
    items: list[Tensor] = field(default_factory=list)


class Taking(nn.Module):
    def forward(self, x: Tensor, *more: Any, box: Any = None) -> Tensor:
        return x + 1


@pytest.mark.parametrize(
    ("args", "kwargs", "where"),
    [
        ((Box(),), {}, "x is"),
        ((1, 2, [3, {"a": Box()}]), {}, "more[1]['a'] is"),
        ((1,), {"box": (None, Box())}, "box[1] is"),
    ],
)
def test_objects(args: tuple[Any, ...], kwargs: dict[str, Any], where: str):
    with pytest.raises(Refused, match=re.escape(f"its argument {where} of the class Box")):
        require_values(Taking(), args, kwargs)


def test_a_cache_is_an_object_even_where_torch_can_take_it_apart():
    register_caches()
    cache = DynamicCache()
    cache.update(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4), 0)
    assert len(pytree.tree_leaves(cache)) == 2
    assert tensors(cache, [cache, torch.ones(1)]) == [torch.ones(1)]
    assert wanted_side({"a": cache})["a"] is cache
    with pytest.raises(Refused, match="its argument box is of the class DynamicCache"):
        require_values(Taking(), (1,), {"box": cache})


def test_what_is_no_object():
    require_values(Taking(), (torch.zeros(1), None, True, 2.5, "a", torch.float32), {"box": {"a": (1, [2j])}})


class Other(nn.Module):
    """Modules with effects that a program would not repeat."""

    def __init__(self, what: str):
        super().__init__()
        self.what, self.seen, self.last = what, [], None
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor, out: list[Tensor] | None = None) -> Tensor:
        match self.what:
            case "list":
                self.seen.append(1)
            case "tensor":
                self.last = x * 2
            case "buffer":
                self.count += 1
            case "random":
                return x + torch.rand_like(x)
            case "argument" if out is not None:
                out.append(x)
        return x + 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("list", "its forward changes its attribute 'seen': a compiled program would do so once"),
        ("tensor", "its forward changes its attribute 'last'"),
        ("buffer", "its forward changes its buffer count, which the host's module would not see"),
        ("random", "its forward draws random numbers, from a generator of torch's that is on the host"),
        ("argument", "its forward changes what its arguments hold"),
    ],
)
def test_side_effects(what: str, reason: str):
    model = nn.Sequential(Other(what)).eval()
    x = torch.ones(4, 32)
    with ttc.accelerate(model, {Other}, device="emulator"):
        with pytest.raises(Refused, match=re.escape(reason)) as caught:
            model[0](x, [x])
        assert "Other '0': " in str(caught.value)
        assert not model[0].seen
    acceleration = ttc.accelerate(model, {Other}, device="emulator", mode="NORMAL_WITH_FALLBACK")
    out = [x]
    model[0](x, out)
    acceleration.restore()
    with pytest.raises(TtcError, match=re.escape(reason[:40])):
        acceleration.require_no_fallback()
    effects = {"list": model[0].seen == [1], "tensor": model[0].last is not None, "argument": len(out) == 2}
    assert effects.get(what, True), "torch did it"


def test_no_side_effect():
    model = Other("none").eval()
    with ttc.accelerate(model, device="emulator"):
        torch.testing.assert_close(model(torch.ones(4, 32), [torch.ones(1)]), torch.full((4, 32), 2.0))


def test_a_hook_inside():
    model, x = net()
    calls: list[str] = []
    handle = model.block.norm.register_forward_hook(lambda *_: calls.append("norm"))
    refused(model, "a hook is on 'norm' in it, and one program for the whole would not call the hook", x,
            replace=["block"], error=Refused)  # fmt: skip
    with ttc.accelerate(model, device="emulator") as acceleration, torch.no_grad():
        model(x)
        assert calls == ["norm"]
        handle.remove()
        model(x)
        assert calls == ["norm"]
    ran = [row[0] for row in acceleration.tables["modules"].rows if row[2] == "device"]
    assert ran == ["block.norm", "block.first", "block.second", "head", ""]
