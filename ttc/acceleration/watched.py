"""`watched`: a copy of a module to trace, in which a call that changes anything but tensors is refused."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.utils import _pytree as pytree

from ttc.errors import Refused
from ttc.frontend.export import frozen

REPLAYED = "a compiled program would do so once, while it is compiled, and never again"

PLAIN = (bool, int, float, complex, str, bytes, set, type(None))
"""Values that are the same where they are equal."""

OF_TORCH = {"_flat_weights", "_flat_weight_refs", *vars(nn.Module())}
"""Attributes that modules of torch itself set: nn.LSTM lists its weights anew in each call."""


class Impure(Refused):
    """Refusal of a forward with effects beside its results; no other sizes of its arguments would change that."""


def watched(module: nn.Module) -> nn.Module:
    """Return a copy of a module, with weights of its own, whose forward raises Impure for a call with side effects.

    Hooks on the module itself are left to the caller's own call of it.
    """
    own = frozen(module)
    plain = own.forward

    @functools.wraps(plain)
    def forward(*args: Any, **kwargs: Any) -> Any:
        attributes, leaves = _attributes(own), pytree.tree_leaves((args, kwargs))
        result = plain(*args, **kwargs)
        changed = [f"its attribute {name!r}" for name in _changed(attributes, _attributes(own))]
        if not _same(leaves, pytree.tree_leaves((args, kwargs))):
            changed.append("what its arguments hold")
        if changed:
            raise Impure([(type(own).__name__, f"its forward changes {' and '.join(changed)}: {REPLAYED}")])
        return result

    own.forward = forward
    own._forward_hooks.clear()
    own._forward_pre_hooks.clear()
    return own


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what was set, changed or deleted."""
    kept = [name for name in before if name in after and _same(before[name], after[name])]
    return [name for name in {**before, **after} if name not in kept]


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Return what a module and those in it hold beside tensors and modules, containers as they are now."""
    return {
        f"{name}.{key}" if name else key: _snapshot(value)
        for name, inner in module.named_modules()
        for key, value in vars(inner).items()
        if key not in OF_TORCH
    }


def _snapshot(value: Any) -> Any:
    match value:
        case list() | tuple():
            return [_snapshot(item) for item in value]
        case dict():
            return {key: _snapshot(item) for key, item in value.items()}
        case set():
            return set(value)
    return value


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal plain ones, containers of the same values, or one object."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, PLAIN):
        return type(one) is type(other) and (one == other or one != one)
    return one is other
