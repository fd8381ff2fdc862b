"""Scalars along a dimension: to torch, dimension 0 of a scalar is that of a vector of one element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch._ops import OpOverload

from ttc import ops
from ttc.frontend.export.table import ExportBuilder
from ttc.ir import TensorType, Value


def names_dimension(target: OpOverload, args: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
    """Return whether the first operand is a scalar, and the call names, or takes by default, a dimension."""
    if not args or not _is_scalar(args[0]):
        return False
    stated = {argument.name: argument.default_value for argument in target._schema.arguments}
    stated |= {**dict(zip(stated, args, strict=False)), **keywords}
    return any(name.startswith("dim") and value not in (None, []) for name, value in stated.items())


def as_vectors(b: ExportBuilder, args: Sequence[Any]) -> tuple[Any, ...]:
    """Return the operands with a vector of one element in the place of each scalar."""
    return tuple(b(ops.Reshape(arg, (1,))) if _is_scalar(arg) else arg for arg in args)


def of_types(b: ExportBuilder, found: Any, types: Sequence[TensorType]) -> Any:
    """Return a result, or several, in the shapes that torch declares, where these have as many elements."""
    if isinstance(found, (tuple, list)):
        return tuple(of_types(b, value, [type]) for value, type in zip(found, types, strict=False))
    if not isinstance(found, Value) or found.type.numel != types[0].numel or found.shape == types[0].shape:
        return found
    return b(ops.Reshape(found, types[0].shape))


def _is_scalar(arg: Any) -> bool:
    return isinstance(arg, Value) and arg.type.rank == 0
