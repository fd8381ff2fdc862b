"""The transfer function of ops that compute element by element: nothing moves, so nothing has to be masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import torch

from ttc.errors import Refusal
from ttc.ir import Op, TensorType, Value
from ttc.ops import binary, unary
from ttc.ops.constant import number_of
from ttc.ops.interpret import evaluate_op
from ttc.ops.padding.abstract import AbstractValue, Dim, Factor, is_low, joined
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.ranges import surely_finite
from ttc.ops.torch_types import to_torch

DIVISIONS = (binary.Div, binary.FloorDiv, binary.Fmod, binary.Remainder)


@dataclass(frozen=True)
class Content:
    """An operand's elements in the padding of one dimension: the number, if known, and whether surely finite."""

    value: Value
    number: float | None
    finite: bool


@transfers(unary.Unary, binary.Binary, binary.Where, broadcasts=True)
def elementwise(op: Op, flow: Flow) -> tuple[Value, AbstractValue]:
    """Compute the fill of the result's padding from the fills of the operands' padding."""
    if isinstance(op, DIVISIONS) and op.b.dtype.is_integer:
        dims = flow.abstract(op.b).padded_dims
        op = replace(op, b=flow.masked(op.b, dims, 1, "a division by zero")) if _may_be_zero(op.b, flow) else op
    operands = op.operands()
    abstract = broadcast(flow, operands, lambda contents: _fill(op, contents))
    taint = _taint(op, abstract, flow)
    return flow(op), replace(abstract, taint=taint)


def _may_be_zero(value: Value, flow: Flow) -> bool:
    return any(f.length and f.fill in (None, 0) for f in flow.abstract(value).factors)


def _taint(op: Op, abstract: AbstractValue, flow: Flow) -> frozenset[str]:
    """Return the sources of inf or NaN in the result's padding, but for those that a fill states."""
    lengths = [factor for factor in abstract.factors if factor.length]
    known = len(lengths) == 1 and lengths[0].fill is not None
    if not lengths or known or not _floats(op):
        return frozenset()
    values: Sequence[Value] = _chosen(op, flow) if isinstance(op, binary.Where) else op.operands()
    found = frozenset().union(*(flow.abstract(value).taint for value in values))
    risky = op.operands()[1:] if isinstance(op, DIVISIONS) else op.operands()
    may_arise = not surely_finite(op) and any(flow.abstract(value).padded for value in risky)
    if not found and (may_arise or not all(map(_finite_number, values))):
        return frozenset((flow.origin,))
    return found


def _finite_number(value: Value) -> bool:
    """Return whether a value is no number that is infinite or NaN everywhere."""
    number = number_of(value)
    return number is None or isfinite(number)


def _floats(op: Op) -> bool:
    """Return whether an op gives floating numbers."""
    result = op.infer()
    return isinstance(result, TensorType) and result.dtype.is_float


def _chosen(op: binary.Where, flow: Flow) -> tuple[Value, ...]:
    """Return the operands that padding may come from."""
    fills = {factor.fill for factor in flow.abstract(op.condition).factors if factor.length}
    lengths = [f for value in (op.a, op.b) for f in flow.abstract(value).factors if f.length]
    if len(fills) == 1 and fills != {None} and len({(f.size, f.length) for f in lengths}) <= 1:
        return (op.a if fills.pop() else op.b,)
    return op.a, op.b


def _fill(op: Op, contents: Sequence[Content]) -> float | None:
    """Compute the result's number where the operands hold these contents; None if unknown."""
    numbers = [content.number for content in contents]
    match op:
        case binary.Where():
            condition, a, b = numbers
            if condition is not None:
                return a if condition else b
            return a if a is not None and a == b else None
        case binary.Mul() | binary.And() if _zero_wins(contents):
            return 0.0
        case binary.Or() if op.a.dtype.kind == "bool" and any(numbers):
            return 1.0
        case binary.Add() if None in numbers and (low := _low_beside_finite(contents)) is not None:
            return low
        case binary.Sub() if is_low(numbers[0], op.a.dtype) and contents[1].finite:
            return numbers[0]
    if any(number is None or not (isfinite(number) or _floats(op)) for number in numbers):
        return None  # what a dtype of integers makes of infinity is not defined
    known = {content.value: content.number for content in contents}
    scalars = {value: torch.tensor(number, dtype=to_torch(value.dtype)) for value, number in known.items()}
    return evaluate_op(op, scalars.__getitem__)[0].item()


def _low_beside_finite(contents: Sequence[Content]) -> float | None:
    """Return the number of a mask that a finite number is added to; None if neither operand is one."""
    for mask, other in (contents, contents[::-1]):
        if is_low(mask.number, mask.value.dtype) and other.finite:
            return mask.number
    return None


def _zero_wins(contents: Sequence[Content]) -> bool:
    """Return whether one factor is zero and all others are finite."""
    return any(content.number == 0 for content in contents) and all(content.finite for content in contents)


# ---------------------------------------------------------------- broadcasting


def broadcast(
    flow: Flow,
    values: Sequence[Value],
    fill: Callable[[Sequence[Content]], float | None],
    abstracts: Sequence[AbstractValue] = (),
) -> AbstractValue:
    """Join the operands' abstract values (or those of parts of theirs, `abstracts`), broadcast to the result's shape.

    `fill` says what its padding holds.
    """
    abstracts = abstracts or [flow.abstract(value) for value in values]
    rank = max(len(abstract.dims) for abstract in abstracts)
    dims: list[Dim] = []
    for dim in range(rank):
        parts = [_part(abstract, dim - rank + len(abstract.dims), flow) for abstract in abstracts]
        present = [part for part in parts if part]
        if not present:
            dims.append(())
            continue
        refined = _matched(present)
        columns = iter(refined)
        lists = [next(columns) if part else None for part in parts]
        joined_column = [
            _join_column([column[i] if column else None for column in lists], values, abstracts, fill, flow)
            for i in range(len(refined[0]))
        ]
        dims.append(tuple(joined_column))
    return AbstractValue(tuple(dims))


def _part(abstract: AbstractValue, dim: int, flow: Flow) -> Dim:
    """Return the factors of a dimension, without single positions; none of a missing dimension."""
    if dim < 0:
        return ()
    return tuple(factor for factor in abstract.dims[dim] if factor.size != 1 or factor.length)


def _matched(dims: Sequence[Dim]) -> list[Dim]:
    """Split dimensions of equal sizes into the same factors, or join each into one where a length cannot be split."""
    try:
        return aligned(dims)
    except Refusal:
        whole = [joined(dim) for dim in dims]
        if len(set(map(_extent, whole))) > 1:
            raise
        return [(factor,) for factor in whole]


def aligned(dims: Sequence[Dim]) -> list[Dim]:
    """Split dimensions of equal sizes into the same factors; Refusal where lengths stand in the way."""
    lists = [list(dim) for dim in dims]
    result: list[list[Factor]] = [[] for _ in lists]
    while any(lists):
        if not all(lists):
            raise Refusal("its operands are made of different parts")
        smallest = min(_extent(column[0]) for column in lists)
        for column, out in zip(lists, result, strict=True):
            first = column.pop(0)
            if _extent(first) != smallest:
                first, rest = _split(first, smallest[0])
                column.insert(0, rest)
            out.append(first)
    return [tuple(column) for column in result]


def _extent(factor: Factor) -> tuple[int, bool]:
    """Give what factors must have in common to be the same part of a dimension: size, and whether it is a length."""
    return factor.size, factor.length is not None


def _split(factor: Factor, outer: int) -> tuple[Factor, Factor]:
    """Split a factor without a length into two, the outer one of this size."""
    if factor.length or factor.sample or factor.size % outer or factor.size == outer:
        raise Refusal("its operands are made of different parts")
    return Factor(outer), Factor(factor.size // outer)


def _join_column(
    column: Sequence[Factor | None],
    values: Sequence[Value],
    abstracts: Sequence[AbstractValue],
    fill: Callable[[Sequence[Content]], float | None],
    flow: Flow,
) -> Factor:
    """Join the operands' factors, None where an operand lacks the factor, into one factor of the result."""
    present = [factor for factor in column if factor]
    sample = any(factor.sample for factor in present)
    lengths = [factor.length for factor in present if factor.length]
    if not lengths:
        return Factor(present[0].size, sample=sample)
    for other in lengths[1:]:
        if not flow.same(lengths[0], other):
            raise Refusal(f"it combines the length {lengths[0]} with the length {other}")
    contents = [
        Content(value, factor.fill, not abstract.taint if factor.fill is None else isfinite(factor.fill))
        if factor and factor.length
        else Content(value, number_of(value), _finite_number(value))
        for value, factor, abstract in zip(values, column, abstracts, strict=True)
    ]
    alike = all(factor.alike for factor in present)
    return Factor(present[0].size, lengths[0], fill(contents), sample, alike)
