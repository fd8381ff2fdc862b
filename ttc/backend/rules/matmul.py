"""Lowering of matrix products."""

from __future__ import annotations

from math import prod

from ttc import ops
from ttc.analysis.residency import l1_bank
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.plan.sharding.banks import LARGE
from ttc.backend.rules.moves import concatenated, expanded, reshaped
from ttc.calls.call import CoreGrid, spec_of
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.shape import Reshape
from ttc.calls.shards import matrix_tiles
from ttc.calls.sizes import tile_bytes
from ttc.errors import Refusal
from ttc.ir import TILE, DType, TensorType, Value
from ttc.ir.types import broadcast


@lowers(ops.Linear)
def linear(op: ops.Linear, to: Lowering) -> Value:
    """Lower x @ w.T to TTNN's x @ w with the weight transposed once, before the first run.

    The core grid is always stated: with a grid, bias and activation are part of the product in every memory.
    """
    w = to.static(op.w)
    x = to.tile(to(op.x))
    row = reshaped(x, (1, *x.shape), to) if x.type.rank == 1 else x
    if w is not None and (parts := parts_of(op, row, to)) > 1:
        return reshaped(_in_parts(op, row, w, parts, to), op.infer().shape, to)
    weight = to.upload(to.derive(ops.Permute(w, (1, 0))), to.weight_dtype) if w else to.tile(to(op.w))
    y = to.call(
        Linear(
            row,
            weight,
            bias=to.tile(to(op.bias)) if op.bias else None,
            transpose_b=w is None,
            activation=op.activation or None,
            core_grid=core_grid(to),
        )
    )
    return reshaped(y, op.infer().shape, to)


MOST_PARTS = 16
"""The most parts of a product's columns: each of them reads the operand again."""


def parts_of(op: ops.Linear, row: Value, to: Lowering) -> int:
    """Return the fewest parts of a product's columns that read weights from the banks of DRAM; 1 if it is one product.

    The weights are large, one product alone reads them, and the operand is one row of tiles. A core beside a bank holds
    a part's columns of the bank in fp32 and as stored, and strips of weights three times.
    """
    bytes_read = op.w.type.numel * to.weight_dtype.bytes
    alone = sum(isinstance(reader.op, ops.Linear) for reader in to.readers[op.w]) == 1
    if bytes_read <= LARGE * to.target.dram_bytes_per_second or not alone or matrix_tiles(spec_of(row))[0] > 1:
        return 1
    tiles = op.w.shape[0] // TILE
    each = tile_bytes(DType.f32) + (1 + (op.bias is not None)) * tile_bytes(to.dtype) + 3 * tile_bytes(to.weight_dtype)

    def fits(parts: int) -> bool:
        return -(-tiles // parts // to.target.dram_banks) * each <= BESIDE_A_BANK * l1_bank(to.target)

    whole = op.w.shape[0] % TILE == 0
    return next((parts for parts in range(1, MOST_PARTS + 1) if whole and tiles % parts == 0 and fits(parts)), 1)


BESIDE_A_BANK = 0.75
"""Part of L1 that a part of a product takes of a core beside a bank: operand and result lie there, too."""


def _in_parts(op: ops.Linear, row: Value, w: Value, parts: int, to: Lowering) -> Value:
    """Return x @ w.T as that many products of columns side by side."""
    count, inner = op.w.shape[0] // parts, op.w.shape[1]
    bias = to.static(op.bias) if op.bias else None
    products: list[Value] = []
    for start in range(0, op.w.shape[0], count):
        columns = to.derive(ops.Slice(w, (start, 0), (start + count, inner)))
        added = bias and to.upload(to.derive(ops.Slice(bias, (start,), (start + count,))), to.dtype)
        weight = to.upload(to.derive(ops.Permute(columns, (1, 0))), to.weight_dtype)
        call = Linear(row, weight, bias=added, activation=op.activation or None, core_grid=core_grid(to))
        products.append(to.call(call))
    return concatenated(products, row.type.rank - 1, to)


def core_grid(to: Lowering) -> CoreGrid:
    """Return all the cores of the target."""
    columns, rows = to.target.grid
    return CoreGrid(rows, columns)


@lowers(ops.Matmul)
def matmul(op: ops.Matmul, to: Lowering) -> Value:
    """Lower a @ b; TTNN broadcasts one matrix b over a's batch, other batches are made equal first."""
    if not op.a.dtype.is_float:
        raise Refusal(f"TTNN multiplies matrices of floats, not {op.a.dtype}")
    a, b = to.tile(to(op.a)), _right(op.b, to)
    batch_a, batch_b = a.shape[:-2], b.shape[:-2]
    if prod(batch_b) == 1:
        b = reshaped(b, b.shape[-2:], to)
        return reshaped(product(a, b, to, grid=core_grid(to)), op.infer().shape, to)
    batch = broadcast(batch_a, batch_b)
    return product(_widened(a, batch, to), _widened(b, batch, to), to)


def with_bias(op: ops.Add, number: float, x: Value, to: Lowering) -> Value | None:
    """Return a row of a product plus one number as one call, the number as its bias; None for other sums.

    So the variance of a norm, a product of shares and squares, is added up with the epsilon.
    """
    row = x
    while isinstance(row.op, ops.Reshape) and to.uses[row] == 1:
        row = row.op.x
    # (a @ b) + number = a @ b + [number, number, ..], of which a @ b is one row that nothing else reads
    if not isinstance(row.op, ops.Matmul) or to.uses[row] > 1 or x.type.numel != row.shape[-1]:
        return None
    call = to(x)
    while isinstance(call.op, Reshape):
        call = call.op.input_tensor
    if not isinstance(call.op, Matmul) or call.op.core_grid is None:
        return None
    known = to.derive(ops.Full(TensorType(x.dtype, row.shape[-1:]), number))
    a, b, memory = call.op.input_tensor_a, call.op.input_tensor_b, call.op.memory_config
    y = to.call(Linear(a, b, bias=to.upload(known), memory_config=memory, core_grid=call.op.core_grid))
    return reshaped(y, op.infer().shape, to)


def product(a: Value, b: Value, to: Lowering, transpose_b: bool = False, grid: CoreGrid | None = None) -> Value:
    """Compute a @ b (or b transposed) of TILE values whose batches fit."""
    return to.call(Matmul(a, b, transpose_b=transpose_b, core_grid=grid))


def _right(b: Value, to: Lowering) -> Value:
    """Return the right operand: a weight of a matrix product takes the weights' dtype."""
    static = to.static(b)
    if static is None:
        return to.tile(to(b))
    return to.upload(static, to.weight_dtype if static.dtype is not DType.bool else None)


def _widened(x: Value, batch: tuple[int, ...], to: Lowering) -> Value:
    """Broadcast x to exactly these batch sizes."""
    x = reshaped(x, (1,) * (len(batch) + 2 - x.type.rank) + x.shape, to)
    return to.tile(expanded(x, (*batch, *x.shape[-2:]), to))
