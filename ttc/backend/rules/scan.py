"""Lowering of prefix sums and products.

TTNN's own cumsum goes from one tile to the next: along the last two dimensions it works on a permuted copy with a
whole tile for each element, 300 MB for a waveform of 72,192. So a long line is cut into blocks (Blelloch 1990): sums
within blocks all at once, then the sums of whole blocks, which are few, then both added.

Within blocks, TTNN's cumsum adds the blocks' first elements, their second ones, and so on: along the first dimension
it copies nothing. A product with a triangle of ones would be wrong before an infinity or NaN, which the product
multiplies by 0.
"""

from __future__ import annotations

from math import prod

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.moves import padded, permuted, reshaped
from ttc.calls import binary
from ttc.calls import scan as calls
from ttc.calls.shape import Slice
from ttc.errors import Refusal
from ttc.guard.budget import check_table
from ttc.ir import Value
from ttc.ir.permutation import inverse_of, to_last

SHORT = 512
"""Most elements of a line that one call sums: at a tile each, 2 MB."""

BLOCK = 256
"""Elements of a block, which are added one after another: the error of a sum grows with their number."""


@lowers(ops.Cumsum)
def cumsum(op: ops.Cumsum, to: Lowering) -> Value:
    """Lower to sums of floats in fp32 whatever the program's dtype."""
    x = to(op.x)
    if op.x.type.rank == 0:
        return _zeros(x, to) if op.exclusive else x
    x = to.tile(x)
    last = to_last(op.dim, x.type.rank)
    if x.shape[op.dim] <= SHORT:
        sums = to.call(calls.Cumsum(x, op.dim, reverse_order=op.reverse))
    else:
        sums = permuted(_blocked(permuted(x, last, to), op.reverse, to), inverse_of(last), to)
    return _shifted(sums, op.dim, op.reverse, to) if op.exclusive else sums


@lowers(ops.Cumprod)
def cumprod(op: ops.Cumprod, to: Lowering) -> Value:
    """Lower to one factor after another: products of blocks could overflow where the whole product does not."""
    if op.x.type.rank == 0:
        return to(op.x)
    if not op.x.dtype.is_float:
        raise Refusal("TTNN has no prefix products of integers")
    return to.call(calls.Cumprod(to.tile(to(op.x)), op.dim))


def _zeros(x: Value, to: Lowering) -> Value:
    """Return as many zeros as x has elements."""
    check_table(*x.shape)
    return to.upload(to.constant(torch.zeros(x.shape)), x.dtype)


def _blocked(x: Value, reverse: bool, to: Lowering) -> Value:
    """Sum inclusively along the last dimension of x [.., n], its lines cut into blocks: [lines, n / BLOCK, BLOCK]."""
    size, lines = x.shape[-1], prod(x.shape[:-1])
    count = -(-size // BLOCK)
    rows = reshaped(x, (lines, size), to)
    if count * BLOCK > size:
        rows = padded(rows, ((0, 0), (0, count * BLOCK - size)), 0.0, to)
    blocks = to.tile(reshaped(rows, (lines, count, BLOCK), to))
    sums = _block_sums(blocks, reverse, to)
    sums = reshaped(sums, (lines, count * BLOCK), to)
    if count * BLOCK > size:
        sums = to.call(Slice(to.row_major(sums), (0, 0), (lines, size)))
    return reshaped(sums, x.shape, to)


def _block_sums(blocks: Value, reverse: bool, to: Lowering) -> Value:
    """Sum all blocks' elements in turn, as [BLOCK, lines, count]: along the first axis TTNN's cumsum copies nothing."""
    lines, count, _ = blocks.shape
    # Blelloch's three steps: the sums within each block,
    within = to.call(calls.Cumsum(permuted(blocks, (2, 0, 1), to), 0, reverse_order=reverse))
    edge = 0 if reverse else BLOCK - 1
    # the exclusive sums of the blocks' totals (the last sum within each block, the first in reverse),
    totals = to.call(Slice(within, (edge, 0, 0), (edge + 1, lines, count)))
    before = _before(reshaped(totals, (lines, count), to), reverse, to)
    # and the sum of all blocks before added to each sum within.
    sums = to.call(binary.Add(within, reshaped(before, (1, lines, count), to)))
    return permuted(sums, (1, 2, 0), to)


def _before(totals: Value, reverse: bool, to: Lowering) -> Value:
    """Return the sum of all that comes before each block, from the blocks' own sums [lines, count]."""
    short = totals.shape[-1] <= SHORT
    upto = to.call(calls.Cumsum(totals, 1, reverse_order=reverse)) if short else _blocked(totals, reverse, to)
    return _shifted(upto, 1, reverse, to)


def _shifted(sums: Value, dim: int, reverse: bool, to: Lowering) -> Value:
    """Turn inclusive sums into exclusive ones: each place takes the sum up to its neighbour, and the first takes 0.

    Subtracting the element itself would make a NaN of an infinite one.
    """
    size, rank = sums.shape[dim], sums.type.rank
    if size == 1:
        return _zeros(sums, to)
    rows = to.row_major(sums)
    pads = [(0, 0)] * rank
    pads[dim] = (0, 1) if reverse else (1, 0)
    starts, ends = [0] * rank, list(sums.shape)
    starts[dim], ends[dim] = (1, size) if reverse else (0, size - 1)
    rest = to.call(Slice(rows, tuple(starts), tuple(ends)))
    return to.tile(padded(rest, tuple(pads), 0.0, to))
