"""The pass that makes one skew of the pads, reshapes and slices that shear scores by relative position.

Models shear by writing rows of one width and reading rows of another (Huang et al. 2018). A shear is recognised by
the map of positions that the ops compute, however these are written. A table of embeddings that was padded to all
distances then needs only the table's own rows.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ops.expr import Expr
from ttc.passes.normal import rebuild

LIMIT = 1 << 22
"""The most elements of a value in a chain whose map of positions is computed."""

Chain = list[ops.Reshape | ops.Pad | ops.Slice]


def fuse_skew(graph: Graph) -> Graph:
    """Fuse shears into skews, and strip the tables beside skews of rows that come from padding.

    Before:
        %0: f32[2,31,32] = pad(x=%table, pads=[[0, 0], [11, 11], [0, 0]])
        %1: f32[2,32,31] = permute(x=%0, dims=[0, 2, 1])
        %2: f32[2,16,31] = matmul(a=%q, b=%1)
        %3: f32[2,16,32] = pad(x=%2, pads=[[0, 0], [0, 0], [0, 1]])
        %4: f32[2,512] = reshape(x=%3, shape=[2, 512])
        %5: f32[2,527] = pad(x=%4, pads=[[0, 0], [0, 15]])
        %6: f32[2,17,31] = reshape(x=%5, shape=[2, 17, 31])
        %y: f32[2,16,16] = slice(x=%6, starts=[0, 0, 15], ends=[2, 16, 31])
    After:
        %1: f32[2,32,9] = permute(x=%table, dims=[0, 2, 1])
        %2: f32[2,16,9] = matmul(a=%q, b=%1)
        %y: f32[2,16,16] = skew(x=%2, slope=-1, offset=4, size=16)
    """
    return rebuild(graph, *SHEARS)


# ------------------------------------------------------------ what shears


def _shear(op: ops.Slice, builder: Builder) -> Value | None:
    """Match a slice at the end of reshapes and pads that together are a skew, or a slice of a skew's columns."""
    if not isinstance(op, ops.Slice) or op.x.type.rank < 2:
        return None
    # columns start .. end of a skew: y[i, start + j] = x[i, j + slope * i + (offset + start)]
    if isinstance(op.x.op, ops.Skew) and op.infer().shape[:-1] == op.x.shape[:-1] and op.steps[-1] == 1:
        skew = op.x.op
        part = replace(skew, offset=skew.offset + op.starts[-1], size=op.ends[-1] - op.starts[-1])
        return _with_own_columns(part, builder)
    # source -> pads, reshapes, slices -> op, with at least one reshape and one pad
    chain, source = _chain(op)
    kinds = {type(step) for step in chain}
    if not {ops.Reshape, ops.Pad} <= kinds or source.type.rank < 2:
        return None
    if max(source.type.numel, *(step.infer().numel for step in chain)) > LIMIT:
        return None
    # [.., rows, columns] -> [.., rows, size]
    shape = op.infer().shape
    rows, columns = source.shape[-2:]
    if rows < 2 or shape[-2] != rows or prod(shape[:-2]) != prod(source.shape[:-2]):
        return None
    # y[i, j] = source[i, j + slope * i + offset], 0 outside the row
    found = _line(_positions(chain, source).reshape(-1, rows, shape[-1]), columns)
    if found is None:
        return None
    skew = _with_own_columns(ops.Skew(source, *found, shape[-1]), builder)
    return skew if skew.shape == shape else builder(ops.Reshape(skew, shape))


def _chain(last: ops.Slice) -> tuple[Chain, Value]:
    """Return the reshapes, pads with zero and slices up to `last`, first to last, and the value that these read."""
    chain: Chain = [last]
    while True:
        match chain[0].x.op:
            case ops.Pad(mode="constant", value=0) | ops.Reshape() | ops.Slice() as step:
                chain.insert(0, step)
            case _:
                return chain, chain[0].x


def _positions(chain: Chain, source: Value) -> Tensor:
    """Compute the position in the source, counted from 1, of each element of the chain's result; 0 for padding."""
    x = torch.arange(1, source.type.numel + 1).reshape(source.shape)
    for step in chain:
        x = step.eval(x)
    return x


def _line(found: Tensor, columns: int) -> tuple[int, int] | None:
    """Solve for slope and offset such that row i, column j reads row i, column j + slope * i + offset, else None.

    `found` holds positions [batch, rows, size] as `_positions` counts them; columns outside a row must be padding.
    """
    known = found.nonzero()
    if not len(known):
        return None
    batch, rows, size = found.shape
    # the first element that is no padding fixes the offset of each slope
    sample, i, j = known[0].tolist()
    first = int(found[sample, i, j]) - 1 - (sample * rows + i) * columns
    starts = torch.arange(batch * rows).reshape(batch, rows, 1) * columns
    for slope in (-1, 1):
        # column j + slope * i + offset = first, and so in every other place
        offset = first - j - slope * i
        column = torch.arange(size) + slope * torch.arange(rows)[:, None] + offset
        inside = (column >= 0) & (column < columns)
        if torch.equal(found, torch.where(inside, starts + column + 1, 0)):
            return slope, offset
    return None


# ------------------------------------------------------------ tables of embeddings


def _with_own_columns(op: ops.Skew, builder: Builder) -> Value:
    """Match skew(q @ table.T): drop the table's padding, as a skew gives 0 beyond the columns, and unread cuts."""
    match op:
        # y[i, j] = (q @ table.T)[i, j - i + offset]
        case ops.Skew(x=Value(ops.Matmul(a=a, b=Value(ops.Permute(x=table, dims=dims)))), slope=-1, offset=offset):
            last, before = len(dims) - 1, len(dims) - 2
        case _:
            return builder(op)
    # row t of the table is row t - shift of inner, so the offset moves by -shift
    inner, shift, cut = _rows(table, builder)
    # columns j - i + offset go from offset - (rows - 1) to offset + size - 1: those beyond a cut table are 0 here, but
    # would not be 0 in scores with the whole table
    reads_cut = offset - (a.shape[-2] - 1) < 0 or offset + op.size > table.shape[-2]
    swaps = (dims[before], dims[last]) == (last, before)
    if inner is table or not swaps or (cut and reads_cut):
        return builder(op)
    product = Expr(a, builder) @ Expr(inner, builder).permute(*dims)
    return _with_own_columns(ops.Skew(product.value, -1, offset - shift, op.size), builder)


def _into_a_product(op: ops.Matmul, builder: Builder) -> Value | None:
    """Match skew(weights) @ table: drop the table's rows of zeros, and a cut if the cut rows meet zeros."""
    match op:
        # y = sum over t of x[i, t + i + offset] * table[t]
        case ops.Matmul(a=Value(ops.Skew(x=x, slope=1, offset=offset)), b=table) if table.type.rank >= 2:
            pass
        case _:
            return None
    # row t of the table is row t - shift of inner: x[i, t' + i + offset + shift] * inner[t']
    inner, shift, cut = _rows(table, builder)
    rows, columns = x.shape[-2:]
    # rows that a cut removed have t < 0 or t >= the cut's size: these must lie outside x, where the skew is 0
    others_are_zero = rows + offset <= 1 and table.shape[-2] + offset >= columns
    if inner is table or (cut and not others_are_zero):
        return None
    op = replace(op, a=builder(ops.Skew(x, 1, offset + shift, inner.shape[-2])), b=inner)
    return _into_a_product(op, builder) or builder(op)


def _rows(table: Value, builder: Builder) -> tuple[Value, int, bool]:
    """Return the table without zero rows around, or before a cut, its first row in `table`, whether rows are cut.

    Dimensions of one that stand in front of such a table stand in front of what is returned, too.
    """
    match table.op:
        case ops.Pad(x=x, pads=pads, mode="constant", value=0) if not any(map(any, (*pads[:-2], pads[-1]))):
            return x, pads[-2][0], False
        case ops.Slice(x=x, starts=starts, steps=steps) if set(steps) == {1} and _others(x) == _others(table):
            return x, -starts[-2], True
        case ops.Reshape(x=x) if (lead := table.shape[: -x.type.rank]) and table.shape == (*lead, *x.shape):
            inner, shift, cut = _rows(x, builder)
            if inner is not x:
                return builder(ops.Reshape(inner, (*lead, *inner.shape))), shift, cut
    return table, 0, False


def _others(table: Value) -> tuple[int, ...]:
    """Return all sizes of a table but the number of rows."""
    return (*table.shape[:-2], table.shape[-1])


SHEARS = (_shear, _into_a_product)
"""The rules alone, for graphs that must not be brought into normal form, which may differ from length to length."""
