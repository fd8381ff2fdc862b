"""The rule of the normal form for tensors without elements, which need no card."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder, Op, TensorType, Value
from ttc.ops.facts import facts_of


def simplify_empty(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
    """Replace an empty value, however computed, by an empty literal, so that readers of such literals alone fold."""
    operands = op.operands()
    reads_empty = any(0 in value.type.shape for value in operands)
    shrinks = facts_of(op).shrinks if operands else isinstance(op, ops.Full)
    if op.effect or not (reads_empty or shrinks):
        return None
    types = op.result_types()
    if types and all(0 in type.shape for type in types):
        return tuple(_empty(type, builder) for type in types)
    if isinstance(op, ops.Concat) and reads_empty:
        kept = tuple(x for x in op.xs if 0 not in x.shape)
        return kept[0] if len(kept) == 1 else builder(ops.Concat(kept, op.dim))
    if any(map(_is_unknown, operands)):
        return builder.add(op.with_operands(lambda v: _empty(v.type, builder) if _is_unknown(v) else v))
    return None


def _is_unknown(value: Value) -> bool:
    """Return whether a value is empty but no literal yet."""
    return 0 in value.shape and not isinstance(value.op, ops.Literal)


def _empty(type: TensorType, builder: Builder) -> Value:
    """Add a literal without elements."""
    return builder(ops.Literal(type, ()))
