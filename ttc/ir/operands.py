"""Operands of an op by the fields that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ttc.ir.graph import Op, Value, operand_fields


def gather_operands(op: Op, tensor_for: Callable[[Value], Any]) -> dict[str, Any]:
    """Return the tensors of an op's operands by field name: one, a list, or None where a field holds none."""
    operands: dict[str, Any] = {}
    for name in operand_fields(type(op)):
        item = getattr(op, name)
        if isinstance(item, tuple):
            operands[name] = [tensor_for(part) for part in item]
        else:
            operands[name] = tensor_for(item) if isinstance(item, Value) else None
    return operands


def operand_places(op: Op) -> dict[str, Any]:
    """Return the places of an op's operands in `op.operands()`, by field name as `gather_operands` does."""
    return gather_operands(op, {value: place for place, value in enumerate(op.operands())}.__getitem__)


def tensors_by_field(places: Mapping[str, Any], tensors: Sequence[Any]) -> dict[str, Any]:
    """Return tensors, which are in the order of `op.operands()`, by field name, for `operand_places(op)`."""
    return {name: _at(place, tensors) for name, place in places.items()}


def _at(place: Any, tensors: Sequence[Any]) -> Any:
    if isinstance(place, list):
        return [tensors[part] for part in place]
    return None if place is None else tensors[place]
