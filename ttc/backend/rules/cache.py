"""Writing one row of a state that lies on the device, where the row lies, instead of all of the state anew."""

from __future__ import annotations

from math import prod

import torch

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.heads import on_core
from ttc.backend.rules.moves import expanded, reshaped
from ttc.calls.binary import Maximum
from ttc.calls.cache import CACHED, SKIPPED, PagedUpdateCache, shards, shares
from ttc.calls.call import buffer_of
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.logic import Lt
from ttc.calls.ternary import Where
from ttc.ir import DType, Input, Layout, Value
from ttc.ops.shape import before_reshapes


def row_written(op: ops.Where, to: Lowering) -> Value | None:
    """Write the row in which a state changes into the state's buffer; None unless the choice is of one row there.

    The choice is between a state [.., S, D] and a row [.., 1, D], by a comparison of a position with 0 .. S - 1.
    """
    if op not in to.in_place:
        return None
    cache, item = to.stored(op.b), _with_rank(op.a.shape, op.b.type.rank)
    place = _place(op.condition, cache.shape, to)
    if place is None or cache.dtype not in CACHED or not isinstance(buffer_of(cache).op, Input) or item[-2] != 1:
        return None
    *outer, size, width = cache.shape
    rows = on_core(to(op.a))
    if rows is not None and rows.shape == (1, cache.shape[0], cache.shape[1], width):
        return to.call(PagedUpdateCache(cache, rows, update_idxs_tensor=_positions(place, 1, size, to)))
    share = shares(prod(outer), to.target)
    if share is None:
        return None
    heads, cores = share
    batch = prod(cores)
    view = reshaped(cache, (batch, heads, size, width), to)
    if buffer_of(view) is not buffer_of(cache):
        return None
    rows = expanded(reshaped(to.tile(to(op.a)), item, to), (*outer, 1, width), to)
    rows = to.tile(reshaped(rows, (1, batch, heads, width), to))
    rows = to.call(ToMemoryConfig(rows, shards(cores, width)))
    written = to.call(PagedUpdateCache(view, rows, update_idxs_tensor=_positions(place, batch, size, to)))
    return reshaped(written, op.b.shape, to)


def _with_rank(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


def _place(condition: Value, shape: tuple[int, ...], to: Lowering) -> Value | int | None:
    """Return the number of the one row of a tensor for which a condition holds; None if the condition is another."""
    rank, size = len(shape), shape[-2] if len(shape) > 1 else 1
    if _with_rank(condition.shape, rank) != (*(1,) * (rank - 2), size, 1) or size == 1:
        return None
    match before_reshapes(condition).op:
        case ops.Eq(a=a, b=b) if to.static(condition) is None:
            pairs = (pair for pair in ((a, b), (b, a)) if pair[0].type.numel == 1 and pair[0].dtype.is_integer)
            return next((place for place, line in pairs if _counts(line, to)), None)
    known = _known(condition, to)
    return int(known.flatten().nonzero()) if known is not None and known.sum() == 1 else None


def _known(value: Value, to: Lowering) -> torch.Tensor | None:
    static = to.static(value)
    return None if static is None else to.known(static)


def _counts(line: Value, to: Lowering) -> bool:
    """Return whether a value is 0, 1, 2, .. in order."""
    known = _known(line, to)
    return known is not None and known.flatten().tolist() == list(range(known.numel()))


def _positions(place: Value | int, batch: int, size: int, to: Lowering) -> Value:
    """Return a position for each entry of a cache, in rows; what is beyond the cache becomes `SKIPPED`."""
    if isinstance(place, int):
        return to.upload(to.constant(torch.full((batch,), place)), DType.i32, Layout.ROW_MAJOR)
    position = reshaped(to.tile(to(place)), (1,), to)
    within = to.call(Where(to.call(Lt(position, size)), position, SKIPPED))
    return to.row_major(expanded(to.call(Maximum(within, SKIPPED)), (batch,), to))
