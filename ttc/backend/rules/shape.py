"""Lowering of moves of elements. Where TILE layout would cut tiles, rules ask for ROW_MAJOR."""

from __future__ import annotations

from ttc import ops
from ttc.backend.heads import joins_heads
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.attention import attend
from ttc.backend.rules.entries import entry_of_rows
from ttc.backend.rules.heads import cut_heads
from ttc.backend.rules.joint import joint_rows
from ttc.backend.rules.long_rows import sliced
from ttc.backend.rules.moves import DEEPEST, concatenated, expanded, padded, permuted, reshaped
from ttc.backend.rules.paged import attend_by_sequence
from ttc.backend.rules.take import flipped_indices, padded_indices, take
from ttc.calls.attention import ConcatenateHeads
from ttc.calls.repeat import Repeat
from ttc.calls.shape import Reshape, Slice
from ttc.errors import Refusal
from ttc.ir import Value


@lowers(ops.Reshape)
def reshape(op: ops.Reshape, to: Lowering) -> Value:
    """Lower to a view where rows stay as they are; rows are split into heads, and heads joined, by one call."""
    if isinstance(op.x.op, ops.PagedAttention) and op.x.shape[2] == 1:
        with to.instead_of(op.x):
            return reshaped(attend_by_sequence(op.x.op, to), op.shape, to)
    heads = joins_heads(op)
    if heads is None:
        if to.is_cached(op.x) and Reshape(to.stored(op.x), op.shape).is_view:
            return to.call(Reshape(to.stored(op.x), op.shape))
        cut = cut_heads(op, to)
        return reshaped(to(op.x), op.shape, to) if cut is None else cut
    if isinstance(heads.op, ops.Attention):
        with to.instead_of(heads):
            joined = attend(heads.op, to, join=True)
        return reshaped(joined, op.shape, to)
    if heads.dtype.is_float:
        return reshaped(to.call(ConcatenateHeads(to.tile(to(heads)))), op.shape, to)
    return reshaped(to(op.x), op.shape, to)


@lowers(ops.Permute)
def permute(op: ops.Permute, to: Lowering) -> Value:
    """Lower to one permute, to a split into heads, or to a reshape where only dimensions of size 1 move.

    Ranks above 6 are permuted with dimensions joined.
    """
    heads = cut_heads(op, to)
    return heads if heads is not None else permuted(to(op.x), op.dims, to)


@lowers(ops.Slice)
def slice_(op: ops.Slice, to: Lowering) -> Value:
    """Lower to one slice: in TILE layout if it takes whole tiles, else in rows; or to attention of two sequences."""
    rows = joint_rows(op, to)
    if rows is not None:
        return rows
    x = to(op.x)
    shape = op.infer().shape
    if 0 in shape:
        raise Refusal("the slice is empty, and TTNN's tensors are not")
    if shape == x.shape:
        return x
    if x.type.rank > DEEPEST:
        raise Refusal(f"a slice of {x.type.rank} dimensions: TTNN takes up to {DEEPEST}")
    entry = entry_of_rows(op, to)
    if entry is not None:
        return entry
    call = Slice(x, op.starts, op.ends, op.steps)
    return to.call(call) if call.by_tiles else sliced(Slice(to.row_major(x), op.starts, op.ends, op.steps), to)


@lowers(ops.Flip)
def flip(op: ops.Flip, to: Lowering) -> Value:
    """Lower to a gather by reversed positions, exact in every dtype: TTNN has no flip."""
    x = to(op.x)
    for dim in op.dims:
        x = take(x, dim, flipped_indices(x.shape[dim]), to) if x.shape[dim] > 1 else x
    return x


@lowers(ops.Concat)
def concat(op: ops.Concat, to: Lowering) -> Value:
    """Lower to one concat: in TILE layout if its operands end with whole tiles, else in rows."""
    parts = [x for x in op.xs if x.shape[op.dim]]
    if not parts:
        raise Refusal("the concatenation is empty, and TTNN's tensors are not")
    values = [to(x) for x in parts]
    dtype = values[0].dtype if len({value.dtype for value in values}) == 1 else to.device_dtype(op.infer())
    values = [to.cast(value, dtype) for value in values]
    return concatenated(values, op.dim, to)


@lowers(ops.Pad)
def pad(op: ops.Pad, to: Lowering) -> Value:
    """Pad zeros at the end in any layout, other constants in rows; reflected or repeated elements are gathered."""
    x = to(op.x)
    if not any(map(any, op.pads)):
        return x
    if op.mode != "constant":
        for dim, (begin, end) in enumerate(op.pads):
            if begin or end:
                x = take(x, dim, padded_indices(x.shape[dim], begin, end, op.mode), to)
        return x
    return padded(x, op.pads, op.value, to)


@lowers(ops.Expand)
def expand(op: ops.Expand, to: Lowering) -> Value:
    """Lower to one expand: in TILE layout if the tiled dimensions stay, else in rows."""
    return expanded(to(op.x), op.shape, to)


@lowers(ops.Repeat)
def repeat(op: ops.Repeat, to: Lowering) -> Value:
    """Lower to one repeat: in TILE layout if the tiled dimensions stay, else in rows."""
    x = to(op.x)
    if 0 in op.repeats:
        raise Refusal("the result is empty, and TTNN's tensors are not")
    if set(op.repeats) <= {1}:
        return x
    call = Repeat(x, op.repeats)
    return to.call(call if call.flexible else Repeat(to.row_major(x), op.repeats))
