"""Attention by relative positions: the pads, reshapes and slices that shear scores become one op.

Models shear by writing rows of one width and reading rows of another (Huang et al. 2018). That is known by what it
does to positions, however it is written. A table of embeddings that was padded to all distances then needs only its
own rows.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.expr import Expr
from ttc.passes.normal import rebuild

LIMIT = 1 << 22
"""Positions up to which a shear is looked for."""

Chain = list[ops.Reshape | ops.Pad | ops.Slice]


def fuse_skew(graph: Graph) -> Graph:
    """Shears as one op, and tables without the rows that only padding gave them.

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


def _shear(op: Op, builder: Builder) -> Value | None:
    """A skew in place of a slice at the end of reshapes and pads, if that is what they do; one of a skew's columns."""
    if not isinstance(op, ops.Slice) or op.x.type.rank < 2:
        return None
    if isinstance(op.x.op, ops.Skew) and op.infer().shape[:-1] == op.x.shape[:-1] and op.steps[-1] == 1:
        skew = op.x.op
        part = replace(skew, offset=skew.offset + op.starts[-1], size=op.ends[-1] - op.starts[-1])
        return _with_own_columns(part, builder)
    chain, source = _chain(op)
    kinds = {type(step) for step in chain}
    if not {ops.Reshape, ops.Pad} <= kinds or source.type.rank < 2:
        return None
    if max(source.type.numel, *(step.infer().numel for step in chain)) > LIMIT:
        return None
    shape = op.infer().shape
    rows, columns = source.shape[-2:]
    if rows < 2 or shape[-2] != rows or prod(shape[:-2]) != prod(source.shape[:-2]):
        return None
    found = _line(_positions(chain, source).reshape(-1, rows, shape[-1]), columns)
    if found is None:
        return None
    skew = _with_own_columns(ops.Skew(source, *found, shape[-1]), builder)
    return skew if skew.shape == shape else builder(ops.Reshape(skew, shape))


def _chain(last: ops.Slice) -> tuple[Chain, Value]:
    """The reshapes, pads with zero and slices that end here, first to last, and what they start from."""
    chain: Chain = [last]
    while True:
        match chain[0].x.op:
            case ops.Pad(mode="constant", value=0) | ops.Reshape() | ops.Slice() as step:
                chain.insert(0, step)
            case _:
                return chain, chain[0].x


def _positions(chain: Chain, source: Value) -> Tensor:
    """Which element of the source, counted from 1, each element of the chain's end is; 0 for padding."""
    x = torch.arange(1, source.type.numel + 1).reshape(source.shape)
    for step in chain:
        x = step.eval(x)
    return x


def _line(found: Tensor, columns: int) -> tuple[int, int] | None:
    """Slope and offset by which rows read columns of their own row, and of all others' nothing; None if they do not."""
    known = found.nonzero()
    if not len(known):
        return None
    batch, rows, size = found.shape
    sample, i, j = known[0].tolist()
    first = int(found[sample, i, j]) - 1 - (sample * rows + i) * columns
    starts = torch.arange(batch * rows).reshape(batch, rows, 1) * columns
    for slope in (-1, 1):
        offset = first - j - slope * i
        column = torch.arange(size) + slope * torch.arange(rows)[:, None] + offset
        inside = (column >= 0) & (column < columns)
        if torch.equal(found, torch.where(inside, starts + column + 1, 0)):
            return slope, offset
    return None


# ------------------------------------------------------------ tables of embeddings


def _with_own_columns(op: ops.Skew, builder: Builder) -> Value:
    """Scores q @ table.T, sheared: columns of zeros are what a skew has anyway, and cut columns if it reads none."""
    match op:
        case ops.Skew(x=Value(ops.Matmul(a=a, b=Value(ops.Permute(x=table, dims=dims)))), slope=-1, offset=offset):
            last, before = len(dims) - 1, len(dims) - 2
        case _:
            return builder(op)
    inner, shift = _rows(table)
    reads_cut = offset - (a.shape[-2] - 1) < 0 or offset + op.size > table.shape[-2]
    swaps = (dims[before], dims[last]) == (last, before)
    if inner is table or not swaps or (isinstance(table.op, ops.Slice) and reads_cut):
        return builder(op)
    product = Expr(a, builder) @ Expr(inner, builder).permute(*dims)
    return _with_own_columns(ops.Skew(product.value, -1, offset - shift, op.size), builder)


def _into_a_product(op: Op, builder: Builder) -> Value | None:
    """Sheared weights @ table: its rows of zeros add nothing, nor do cut rows if their columns are zeros."""
    match op:
        case ops.Matmul(a=Value(ops.Skew(x=x, slope=1, offset=offset)), b=table) if table.type.rank >= 2:
            pass
        case _:
            return None
    inner, shift = _rows(table)
    rows, columns = x.shape[-2:]
    others_are_zero = rows + offset <= 1 and table.shape[-2] + offset >= columns
    if inner is table or (isinstance(table.op, ops.Slice) and not others_are_zero):
        return None
    op = replace(op, a=builder(ops.Skew(x, 1, offset + shift, inner.shape[-2])), b=inner)
    return _into_a_product(op, builder) or builder(op)


def _rows(table: Value) -> tuple[Value, int]:
    """The table without zero rows around it, or whole where it was cut: its first row is row `shift` of this one."""
    match table.op:
        case ops.Pad(x=x, pads=pads, mode="constant", value=0) if not any(map(any, (*pads[:-2], pads[-1]))):
            return x, pads[-2][0]
        case ops.Slice(x=x, starts=starts, steps=steps) if set(steps) == {1} and _others(x) == _others(table):
            return x, -starts[-2]
    return table, 0


def _others(table: Value) -> tuple[int, ...]:
    """All sizes but the number of rows."""
    return (*table.shape[:-2], table.shape[-1])


SHEARS = (_shear, _into_a_product)
"""The rules alone, for graphs that are not to come into normal form: it may differ from length to length."""
