"""Frozen modules: copies that nothing done to the module afterwards reaches."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from ttc.ir import Weight, Weights


def frozen(model: nn.Module) -> nn.Module:
    """Copy a module with tensors of its own, of which fake ones stay; tensors that share memory go on sharing memory.

    An attribute that cannot be copied (a lock, a Python module) is shared with the original.
    """
    memo: dict[int, Any] = {}
    for tensor in tensors_of(model):
        if id(tensor) not in memo:
            memo[id(tensor)] = _own(tensor, memo)
    modules = list(model.modules())
    for module in modules:  # first without contents, so that whatever refers to a module finds its copy
        memo[id(module)] = object.__new__(type(module))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # in torch's own modules
        for module in modules:
            memo[id(module)].__dict__.update({name: _copied(item, memo) for name, item in vars(module).items()})
    return memo[id(model)]


def frozen_weights(weights: Weights) -> Weights:
    """Read weights now, into memory of their own: once for all weights that lie in the same place."""
    views = {ref: weight.read() for ref, weight in weights.items() if weight.read is not None}
    own: dict[tuple, np.ndarray] = {}
    for array in views.values():
        own.setdefault(_place(array), array.copy())

    def kept(ref: str, weight: Weight) -> Weight:
        if ref not in views:
            return weight
        array = own[_place(views[ref])]
        return Weight(weight.type, lambda: array)

    return Weights({ref: kept(ref, weight) for ref, weight in weights.items()})


def _place(array: np.ndarray) -> tuple:
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def tensors_of(model: nn.Module) -> list[Tensor]:
    """List parameters, buffers, and tensors that modules hold as plain attributes."""
    held = (item for module in model.modules() for item in vars(module).values() if isinstance(item, Tensor))
    return [*model.parameters(), *model.buffers(), *held]


def has_data(tensor: Tensor) -> bool:
    """Return whether there are numbers behind a tensor: not if the tensor is fake or on the device meta."""
    return not isinstance(tensor, FakeTensor) and not tensor.is_meta


def _own(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    """Copy a tensor's numbers into memory of its own, once for all tensors over the same memory."""
    if not has_data(tensor):
        return tensor
    own = _copied(tensor.detach(), memo)
    return nn.Parameter(own, requires_grad=False) if type(tensor) is nn.Parameter else own


def _copied(item: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(item, memo)
    except Exception:  # whatever the class of an attribute raises when it is copied
        return item
