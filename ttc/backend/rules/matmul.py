"""Lowering of matrix products."""

from __future__ import annotations

from math import prod

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.moves import expanded, reshaped
from ttc.calls.call import CoreGrid
from ttc.calls.matmul import Linear, Matmul
from ttc.errors import Refusal
from ttc.ir import DType, Value
from ttc.ir.types import broadcast


@lowers(ops.Linear)
def linear(op: ops.Linear, to: Lowering) -> Value:
    """Lower x @ w.T to TTNN's x @ w with the weight transposed once, before the first run.

    The core grid is always stated: with a grid, bias and activation are part of the product in every memory.
    """
    w = to.static(op.w)
    weight = to.upload(to.derive(ops.Permute(w, (1, 0))), to.weight_dtype) if w else to.tile(to(op.w))
    x = to.tile(to(op.x))
    row = reshaped(x, (1, *x.shape), to) if x.type.rank == 1 else x
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
