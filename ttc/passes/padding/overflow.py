"""Huge numbers that masks write: an op's result on such a number may be infinite, as the square is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ttc import ops
from ttc.ir import Op, Value
from ttc.ops.padding import AbstractValue, Factor
from ttc.ops.padding.abstract import is_huge


def loses_huge(
    result: AbstractValue, read: Sequence[tuple[Value, Value]], abstracts: Mapping[Value, AbstractValue]
) -> bool:
    """Return whether huge numbers in the operands' padding are no longer known numbers in the result's padding.

    `read` has the values that a transfer function has made, each paired with every operand of the value's op. A value
    whose abstract value the function has stated accounts for the value's operands.
    """
    unknown = {factor.length for factor in result.factors if factor.fill is None}
    known = {factor.length for factor in result.factors} - unknown
    return result.padded and any(
        is_huge(factor.fill, operand.dtype) and factor.length not in known
        for made, operand in read
        if operand in abstracts and made not in abstracts
        for factor in _passed(made.op, operand, abstracts[operand])
    )


def _passed(op: Op, operand: Value, abstract: AbstractValue) -> list[Factor]:
    """List the factors of an operand whose padding an op may pass on, without those that a choice or mask omits."""
    match op:
        case ops.Attention(mask=mask) if operand is mask:
            return []
        case ops.Max(dims=dims) | ops.Min(dims=dims):
            left_out = dims
        case ops.Topk(dim=dim) | ops.Argmax(dim=dim) | ops.Softmax(dim=dim):
            left_out = (dim,)
        case _:
            left_out = ()
    return [factor for d, factors in enumerate(abstract.dims) if d not in left_out for factor in factors]
