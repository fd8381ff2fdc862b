"""Scalars along a dimension: to torch, dimension 0 of a scalar is that of a vector of one element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch._ops import OpOverload

from ttc.ir import TensorType
from ttc.ops.expr import Expr


def names_dimension(target: OpOverload, args: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
    """Return whether the first operand is a scalar, and the call names, or takes by default, a dimension."""
    if not args or not _is_scalar(args[0]):
        return False
    stated = {argument.name: argument.default_value for argument in target._schema.arguments}
    stated |= {**dict(zip(stated, args, strict=False)), **keywords}
    return any(name.startswith("dim") and value not in (None, []) for name, value in stated.items())


def as_vectors(args: Sequence[Any]) -> tuple[Any, ...]:
    """Return the operands with a vector of one element in the place of each scalar."""
    return tuple(arg.reshape(1) if _is_scalar(arg) else arg for arg in args)


def of_types(found: Any, types: Sequence[TensorType]) -> Any:
    """Return a result, or several, in the shapes that torch declares, where these have as many elements."""
    if isinstance(found, (tuple, list)):
        return tuple(of_types(value, [type]) for value, type in zip(found, types, strict=False))
    fits = isinstance(found, Expr) and found.type.numel == types[0].numel
    return found.reshape(*types[0].shape) if fits else found


def _is_scalar(arg: Any) -> bool:
    return isinstance(arg, Expr) and arg.rank == 0
