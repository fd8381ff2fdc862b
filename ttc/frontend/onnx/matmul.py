"""ONNX matrix products."""

from __future__ import annotations

from ttc import ops
from ttc.frontend.einsum import einsum
from ttc.frontend.onnx.elementwise import scaled
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.ops.expr import Expr, apply


@onnx_op()
def MatMul(b: Emitter, x: Expr, y: Expr) -> Expr:
    return matmul(x, y)


@onnx_op()
def Einsum(b: Emitter, *xs: Expr, equation) -> Expr:
    return einsum(b, equation, xs)


def matmul(x: Expr, y: Expr) -> Expr:
    """Multiply as numpy: a vector is a row on the left, a column on the right, and its dimension is dropped."""
    row, column = x.rank == 1, y.rank == 1
    x = x.reshape(1, *x.shape) if row else x
    y = y.reshape(*y.shape, 1) if column else y
    z = x @ y
    shape = z.shape[:-1] if column else z.shape
    if row:
        shape = (*shape[:-1],) if column else (*shape[:-2], shape[-1])
    return z.reshape(*shape)


def swapped(x: Expr) -> Expr:
    """Swap the last two dimensions of x."""
    rank = x.rank
    return x.permute(*range(rank - 2), rank - 1, rank - 2)


@onnx_op()
def Gemm(
    b: Emitter, x: Expr, w: Expr, c: Expr | None = None, *, alpha=1.0, beta=1.0, broadcast=1, transA=0, transB=0
) -> Expr:
    """Compute alpha * x @ w + beta * c; a linear layer where w is a weight."""
    x = swapped(x) if transA else x
    c = None if c is None or beta == 0 else scaled(c, beta)
    if not b.is_constant(w):
        y = scaled(x @ (swapped(w) if transB else w), alpha)
        return y if c is None else y + c
    w = w if transB else swapped(w)
    bias = None if c is None or alpha != 1 else _bias(c, w.shape[0])
    y = scaled(apply(ops.Linear, x, w, bias), alpha)
    return y if c is None or bias is not None else y + c


def _bias(c: Expr, size: int) -> Expr | None:
    """Return c as a bias [size], if c is the same for every row."""
    if c.type.numel == size and c.shape[-1:] == (size,):
        return c.reshape(size)
    return c.reshape(1).expand(size) if c.type.numel == 1 else None
