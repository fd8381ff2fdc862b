"""Transfer functions of reductions, prefix sums and choices: over a length these must not see padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ttc.errors import Refusal
from ttc.ir import DType, Value
from ttc.ops import reduce
from ttc.ops.binary import Div, Mul
from ttc.ops.cast import Cast
from ttc.ops.padding.abstract import AbstractValue, Dim, Factor, above, beneath
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.ranges import surely_finite


@transfers(reduce.Sum, reduce.Mean, reduce.Max, reduce.Min, reduce.Prod)
def reduction(op: reduce.Reduce, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask reduced padding with the neutral number of the reduction; a mean divides by the true count."""
    lengths = [d for d in flow.abstract(op.x).padded_dims if d in op.dims]
    if any(factor.sample for d in op.dims for factor in flow.abstract(op.x).dims[d]):
        raise Refusal("it reduces the batch, whose samples have lengths of their own")
    x = flow.masked(op.x, lengths, _neutral(op), "a reduction over the length") if lengths else op.x
    abstract = flow.abstract(x)
    dims = [(() if d in op.dims else dim) for d, dim in enumerate(abstract.dims)]
    kept = [dim for d, dim in enumerate(dims) if op.keep or d not in op.dims]
    known = AbstractValue(tuple(kept), abstract.taint)
    known = replace(known, dims=tuple(tuple(_reduced(f, op) for f in dim) for dim in known.dims))
    if not surely_finite(op):
        known = replace(known, taint=known.taint | {flow.origin})
    if isinstance(op, reduce.Mean) and lengths:
        total = flow(reduce.Sum(x, op.dims, op.keep))
        return flow(Div(total, count(flow, abstract, op.dims, known, x.dtype))), known
    return flow(replace(op, x=x)), known


def _neutral(op: reduce.Reduce) -> float:
    """Give the neutral number of a reduction."""
    match op:
        case reduce.Prod():
            return 1
        case reduce.Max():
            return beneath(op.x)
        case reduce.Min():
            return above(op.x)
    return 0


def _reduced(factor: Factor, op: reduce.Reduce) -> Factor:
    """Give the factor of a dimension that stays: a maximum or minimum keeps the fill, other reductions keep 0."""
    if isinstance(op, (reduce.Max, reduce.Min)):
        return factor
    return factor.bare(0.0 if factor.fill == 0 else None)


def count(flow: Flow, abstract: AbstractValue, dims: Sequence[int], result: AbstractValue, dtype: DType) -> Value:
    """Count the valid elements of these dimensions, as a factor that broadcasts to the `result`."""
    factors = [factor for d in dims for factor in abstract.dims[d]]
    static = prod(factor.size for factor in factors if not factor.length)
    lengths = [factor.length for factor in factors if factor.length]
    assert all(length is not None for length in lengths)
    number = flow.length(lengths[0] * static, result)  # type: ignore[operator]
    for other in lengths[1:]:
        number = flow(Mul(number, flow.length(other, result)))  # type: ignore[arg-type]
    return flow(Cast(number, dtype))


@transfers(reduce.Cumsum)
def cumsum(op: reduce.Cumsum, flow: Flow) -> tuple[Value, AbstractValue]:
    """Make padding along a prefix sum finite, as a triangular product would compute NaN * 0; mask a reverse sum."""
    if any(factor.sample for factor in flow.abstract(op.x).dims[op.dim]):
        raise Refusal("it adds up along the batch")
    over = op.dim in flow.abstract(op.x).padded_dims
    x = op.x
    if over and op.reverse:
        x = flow.masked(x, [op.dim], 0.0, "a sum from the end of the length")
    elif over:
        x = flow.finite(x, "a prefix sum along the length")
    abstract = flow.abstract(x)
    zeros = [
        tuple(f.bare(0.0 if f.fill == 0 and (d != op.dim or op.reverse) else None) for f in dim)
        for d, dim in enumerate(abstract.dims)
    ]
    return flow(replace(op, x=x)), AbstractValue(tuple(zeros), abstract.taint)


@transfers(reduce.Cumprod)
def cumprod(op: reduce.Cumprod, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask as prefix sums do; products of what is finite may be too large."""
    if any(factor.sample for factor in flow.abstract(op.x).dims[op.dim]):
        raise Refusal("it multiplies along the batch")
    over = op.dim in flow.abstract(op.x).padded_dims
    x = flow.finite(op.x, "a prefix product along the length") if over else op.x
    abstract = flow.abstract(x).without_fills()
    return flow(replace(op, x=x)), replace(
        abstract, taint=abstract.taint | ({flow.origin} if over and not surely_finite(op) else set())
    )


@transfers(reduce.Argmax)
def argmax(op: reduce.Argmax, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask padding along a length with a number beneath all valid ones."""
    x = _ranked(op.x, op.dim, True, flow)
    abstract = flow.abstract(x)
    dims: list[Dim] = [dim for d, dim in enumerate(abstract.dims) if d != op.dim]
    if op.keep:
        dims.insert(op.dim, ())
    return flow(replace(op, x=x)), AbstractValue(tuple(dims)).without_fills()


@transfers(reduce.Topk)
def topk(op: reduce.Topk, flow: Flow) -> tuple[tuple[Value, ...], tuple[AbstractValue, ...]]:
    """Mask padding along a length with the number that is chosen last."""
    x = _ranked(op.x, op.dim, op.largest, flow)
    abstract = flow.abstract(x)
    length = abstract.axis(op.dim).length
    if length:
        flow.require(length, op.k)
    chosen = Factor(op.k)
    dims = tuple((chosen,) if d == op.dim else dim for d, dim in enumerate(abstract.dims))
    values = AbstractValue(dims, abstract.taint).without_fills()
    return flow(replace(op, x=x)), (values, replace(values, taint=frozenset()))


def _ranked(x: Value, dim: int, largest: bool, flow: Flow) -> Value:
    """Mask the padding of x along `dim` so that every valid element comes first."""
    abstract = flow.abstract(x)
    if any(factor.sample for factor in abstract.dims[dim]):
        raise Refusal("it compares samples of the batch, which have lengths of their own")
    if dim not in abstract.padded_dims:
        return x
    return flow.masked(x, [dim], beneath(x) if largest else above(x), "a choice along the length")
