"""ONNX matrix products."""

from __future__ import annotations

from ttc import ops
from ttc.frontend.onnx.elementwise import scaled
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.ir import Value


@onnx_op()
def MatMul(b: Emitter, x: Value, y: Value) -> Value:
    return matmul(b, x, y)


def matmul(b: Emitter, x: Value, y: Value) -> Value:
    """numpy's matmul: a vector is a row on the left, a column on the right, and its dimension goes away."""
    row, column = x.type.rank == 1, y.type.rank == 1
    x = b.reshape(x, (1, *x.shape)) if row else x
    y = b.reshape(y, (*y.shape, 1)) if column else y
    z = b(ops.Matmul(x, y))
    shape = z.shape[:-1] if column else z.shape
    if row:
        shape = (*shape[:-1],) if column else (*shape[:-2], shape[-1])
    return b.reshape(z, shape)


def swapped(b: Emitter, x: Value) -> Value:
    """x with its last two dimensions exchanged."""
    rank = x.type.rank
    return b.permute(x, (*range(rank - 2), rank - 1, rank - 2))


@onnx_op()
def Gemm(
    b: Emitter, x: Value, w: Value, c: Value | None = None, *, alpha=1.0, beta=1.0, broadcast=1, transA=0, transB=0
) -> Value:
    """alpha * x @ w + beta * c; a linear layer where w is a weight."""
    x = swapped(b, x) if transA else x
    c = None if c is None or beta == 0 else scaled(b, c, beta)
    if not b.is_constant(w):
        y = scaled(b, b(ops.Matmul(x, swapped(b, w) if transB else w)), alpha)
        return y if c is None else b(ops.Add(y, c))
    w = w if transB else swapped(b, w)
    bias = None if c is None or alpha != 1 else _bias(b, c, w.shape[0])
    y = scaled(b, b(ops.Linear(x, w, bias)), alpha)
    return y if c is None or bias is not None else b(ops.Add(y, c))


def _bias(b: Emitter, c: Value, size: int) -> Value | None:
    """c as a bias [size], if it is the same for every row."""
    if c.type.numel == size and c.shape[-1:] == (size,):
        return b.reshape(c, (size,))
    return b.expand(b.reshape(c, (1,)), (size,)) if c.type.numel == 1 else None
