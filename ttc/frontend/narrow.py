"""Arithmetic on integers of fewer than 32 bits: the card computes in 32 bits, and only casts wrap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ttc import ops
from ttc.ir import Builder, DType, Op, Value
from ttc.ops.facts import facts_of

IsWide = Callable[[DType, Op], bool]
"""A predicate of the dtypes of operands that an op takes in i64."""


def overflows(dtype: DType, op: Op) -> bool:
    """Return whether results of `op` on a narrow integer dtype may lie beyond the dtype."""
    if isinstance(op, ops.Matmul):  # the card multiplies no integers, and the refusal is to name the model's own dtype
        return False
    return dtype.is_integer and dtype.bytes < 4 and facts_of(op).overflows


def widened(op: Op, is_wide: IsWide, add: Callable[[Op], Any]) -> tuple[Value, ...]:
    """Add `op` in i64 between casts and return results that wrap as the dtypes of `op` do."""

    def cast(value: Value, dtype: DType) -> Value:
        return value if value.dtype is dtype else add(ops.Cast(value, dtype))

    wide = add(op.with_operands(lambda value: cast(value, DType.i64) if is_wide(value.dtype, op) else value))
    results = wide if isinstance(wide, tuple) else (wide,)
    return tuple(cast(y, type.dtype) for y, type in zip(results, op.result_types(), strict=True))


def widen(op: Op, builder: Builder) -> tuple[Value, ...] | None:
    """Compute an op on narrow integers in i64, as a rewrite rule, if the op overflows; else return None."""
    if any(overflows(value.dtype, op) for value in op.operands()):
        return widened(op, overflows, builder)
    return None
