"""How TTNN runs prefix sums and products.

TTNN's own cumsum goes from one tile to the next: along the last two dimensions it works on a permuted copy with a
whole tile for each element, 300 MB for a waveform of 72,192. So a long line is cut into blocks (Blelloch 1990):
sums within blocks all at once, then the sums of whole blocks, which are few, then both added.

Within blocks, floats are a product with a triangle of ones. The matrix engine keeps 10 mantissa bits of an fp32
operand, so the operand is split into three bf16 parts whose sum it is; each product with 0 or 1 is then exact and only
the fp32 additions round. Integers are summed as i32, by TTNN's cumsum over all blocks at once.
"""

from __future__ import annotations

from math import prod

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.matmul import core_grid
from ttc.backend.moves import concatenated, padded, permuted, reshaped
from ttc.calls import binary
from ttc.calls import reduce as calls
from ttc.calls.call import ComputeKernelConfig
from ttc.calls.matmul import Matmul
from ttc.calls.shape import Slice
from ttc.errors import Refusal
from ttc.ir import DType, Layout, Value

SHORT = 512
"""Elements up to which a line is summed by one call: at a tile each, 2 MB."""

BLOCK = 256
"""Elements of a block: its triangle, once for each part of the operand, takes 384 KB."""

PARTS = 3
"""bf16 numbers of 8 bits that hold one of 24."""


@lowers(ops.Cumsum)
def cumsum(op: ops.Cumsum, to: Lowering) -> Value:
    """Floats in fp32 whatever the program's dtype; an exclusive sum is the inclusive one less the element itself."""
    x = to(op.x)
    if op.x.type.rank == 0:
        return to.call(binary.Subtract(x, x)) if op.exclusive else x
    x = to.tile(x)
    last = (*(dim for dim in range(x.type.rank) if dim != op.dim), op.dim)
    if x.shape[op.dim] <= SHORT:
        sums = to.call(calls.Cumsum(x, op.dim, reverse_order=op.reverse))
    else:
        sums = permuted(_blocked(permuted(x, last, to), op.reverse, to), _inverse(last), to)
    return to.call(binary.Subtract(sums, x)) if op.exclusive else sums


@lowers(ops.Cumprod)
def cumprod(op: ops.Cumprod, to: Lowering) -> Value:
    """One factor after another: in blocks, products of blocks would overflow where the whole does not."""
    if op.x.type.rank == 0:
        return to(op.x)
    if not op.x.dtype.is_float:
        raise Refusal("TTNN has no prefix products of integers")
    return to.call(calls.Cumprod(to.tile(to(op.x)), op.dim))


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(dim) for dim in range(len(order)))


def _blocked(x: Value, reverse: bool, to: Lowering) -> Value:
    """Inclusive sums along the last dimension of x [.., n], its lines cut into blocks: [lines, n / BLOCK, BLOCK]."""
    size, lines = x.shape[-1], prod(x.shape[:-1])
    count = -(-size // BLOCK)
    rows = reshaped(x, (lines, size), to)
    if count * BLOCK > size:
        rows = padded(rows, ((0, 0), (0, count * BLOCK - size)), 0.0, to)
    blocks = to.tile(reshaped(rows, (lines, count, BLOCK), to))
    sums = (_of_floats if x.dtype.is_float else _of_integers)(blocks, reverse, to)
    sums = reshaped(sums, (lines, count * BLOCK), to)
    if count * BLOCK > size:
        sums = to.call(Slice(to.row_major(sums), (0, 0), (lines, size), (1, 1)))
    return reshaped(sums, x.shape, to)


def _of_floats(blocks: Value, reverse: bool, to: Lowering) -> Value:
    """A product with the triangle gives the sums within blocks."""
    lines, count, _ = blocks.shape
    within = _by_triangle(blocks, reverse, to)
    edge = 0 if reverse else BLOCK - 1
    totals = to.call(Slice(to.row_major(within), (0, 0, edge), (lines, count, edge + 1), (1, 1, 1)))
    before = _before(to.tile(reshaped(totals, (lines, count), to)), reverse, to)
    return to.call(binary.Add(within, to.tile(reshaped(before, (lines, count, 1), to))))


def _of_integers(blocks: Value, reverse: bool, to: Lowering) -> Value:
    """The elements of all blocks in turn, [BLOCK, lines, count]: TTNN's cumsum copies nothing along the first."""
    lines, count, _ = blocks.shape
    within = to.call(calls.Cumsum(permuted(blocks, (2, 0, 1), to), 0, reverse_order=reverse))
    edge = 0 if reverse else BLOCK - 1
    totals = to.call(Slice(within, (edge, 0, 0), (edge + 1, lines, count), (1, 1, 1)))
    before = _before(reshaped(totals, (lines, count), to), reverse, to)
    sums = to.call(binary.Add(within, reshaped(before, (1, lines, count), to)))
    return permuted(sums, (1, 2, 0), to)


def _before(totals: Value, reverse: bool, to: Lowering) -> Value:
    """What comes before each block, from the blocks' own sums [lines, count]."""
    short = totals.shape[-1] <= SHORT
    upto = to.call(calls.Cumsum(totals, 1, reverse_order=reverse)) if short else _blocked(totals, reverse, to)
    return to.call(binary.Subtract(upto, totals))


def _by_triangle(blocks: Value, reverse: bool, to: Lowering) -> Value:
    """Sums within blocks of f32: x @ triangle, all parts of x side by side and a triangle under another."""
    parts = concatenated(_split(blocks, to), 2, to)
    ones = torch.ones(BLOCK, BLOCK)
    triangle = (ones.tril() if reverse else ones.triu()).repeat(PARTS, 1)
    weight = to.upload(to.constant(triangle), DType.bf16, Layout.TILE)
    config = ComputeKernelConfig()
    return to.call(Matmul(parts, weight, dtype=DType.f32, compute_kernel_config=config, core_grid=core_grid(to)))


def _split(x: Value, to: Lowering) -> list[Value]:
    """f32 as bf16 numbers whose sum it is: what each leaves over goes to the next."""
    parts = []
    for _ in range(PARTS - 1):
        parts.append(to.cast(x, DType.bf16))
        x = to.call(binary.Subtract(x, to.cast(parts[-1], DType.f32)))
    return [*parts, to.cast(x, DType.bf16)]
