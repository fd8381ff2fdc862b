"""Lowering of reductions, and of choices along a dimension."""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.moves import permuted, reshaped
from ttc.calls import reduce as calls
from ttc.errors import Refusal
from ttc.ir import DType, Op, Value
from ttc.ops.reduce import Reduce

CALLS: dict[type[Op], type[calls.ReduceCall]] = {
    ops.Max: calls.Max,
    ops.Mean: calls.Mean,
    ops.Min: calls.Min,
    ops.Sum: calls.Sum,
}

TRUTH: dict[type[Op], type[calls.ReduceCall]] = {
    ops.Max: calls.Max,
    ops.Min: calls.Min,
    ops.Prod: calls.Min,
    ops.Sum: calls.Max,
}
"""Calls of reductions of booleans in ones and zeros: "any" is the largest, "all" the smallest."""


@lowers(*CALLS)
def reduction(op: Reduce, to: Lowering) -> Value:
    """Lower to one call over all dimensions at once."""
    return reduce_with(TRUTH[type(op)] if op.x.dtype is DType.bool else CALLS[type(op)], op, to)


@lowers(ops.Prod)
def product(op: ops.Prod, to: Lowering) -> Value:
    """Lower to a product over one dimension at a time, the last first; TTNN has no product of integers."""
    if op.x.dtype is DType.bool:
        return reduce_with(TRUTH[type(op)], op, to)
    if op.x.dtype.is_integer and op.dims:
        raise Refusal("TTNN has no product of integers")
    x = to.tile(to(op.x)) if op.dims else to(op.x)
    for dim in reversed(op.dims):
        x = to.call(calls.Prod(x, dim, op.keep))
    return x


@lowers(ops.Argmax)
def argmax(op: ops.Argmax, to: Lowering) -> Value:
    """Lower floats in TILE layout, integers with the dimension last in ROW_MAJOR; the u32 indices become i32."""
    x, last = to(op.x), op.x.type.rank - 1
    if last < 0:
        raise Refusal("argmax needs a dimension")
    if x.dtype.is_float:
        return to.cast(to.call(calls.Argmax(to.tile(x), op.dim, op.keep)), DType.i32)
    others = tuple(dim for dim in range(last + 1) if dim != op.dim)
    x = to.row_major(permuted(x, (*others, op.dim), to))
    found = to.cast(to.call(calls.Argmax(x, last, op.keep and op.dim == last)), DType.i32)
    return reshaped(found, op.infer().shape, to)


@lowers(ops.Topk)
def topk(op: ops.Topk, to: Lowering) -> tuple[Value, Value]:
    """Lower to a stable topk, so that the first of equals is taken; the unsigned indices become i32."""
    if op.x.type.rank == 0:
        raise Refusal("topk needs a dimension")
    if not op.x.dtype.is_float:
        raise Refusal(f"TTNN has no topk of {op.x.dtype}")
    call = calls.Topk(to.tile(to(op.x)), op.k, op.dim, op.largest, stable=True)
    needed, there = call.workspace(to.target).circular_buffers, to.target.l1_bytes
    if needed > there:
        raise Refusal(f"the {op.k} largest of {op.x.type} take {needed:,} bytes of one core's L1, which has {there:,}")
    values, indices = to.call(call)
    return values, to.cast(indices, DType.i32)


def reduce_with(kind: type[calls.ReduceCall], op: Reduce, to: Lowering) -> Value:
    """Call `kind` over the op's dimensions, summing in fp32; over no dimension, return the operand itself."""
    if not op.dims:
        return to(op.x)
    x = to.tile(to(op.x))
    return to.call(kind(x, op.dims, op.keep))
