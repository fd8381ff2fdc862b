"""ONNX random operators: the numbers come in as inputs, drawn by a session where its user gives none.

A model's own `seed` is not used: no two frameworks draw the same numbers from one.
"""

from __future__ import annotations

from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import DType, TensorType
from ttc.ir.random import NORMAL, UNIFORM, random_name
from ttc.ops.expr import Expr


def _drawn(b: Emitter, kind: str, dtype: DType, shape: Ints, slope: float = 1.0, offset: float = 0.0) -> Expr:
    """Add a random input, times `slope` plus `offset`."""
    x = b.input(TensorType(dtype, tuple(shape)), random_name(kind, b.drawn))
    b.drawn += 1
    x = x if slope == 1 else x * slope
    return x if offset == 0 else x + offset


@onnx_op()
def RandomNormal(b: Emitter, *, shape: Ints, dtype=1, mean=0.0, scale=1.0, seed=0.0) -> Expr:
    return _drawn(b, NORMAL, dtype_of(dtype), shape, scale, mean)


@onnx_op()
def RandomNormalLike(b: Emitter, x: Expr, *, dtype=None, mean=0.0, scale=1.0, seed=0.0) -> Expr:
    return _drawn(b, NORMAL, dtype_of(dtype) if dtype else x.dtype, x.shape, scale, mean)


@onnx_op()
def RandomUniform(b: Emitter, *, shape: Ints, dtype=1, high=1.0, low=0.0, seed=0.0) -> Expr:
    return _drawn(b, UNIFORM, dtype_of(dtype), shape, high - low, low)


@onnx_op()
def RandomUniformLike(b: Emitter, x: Expr, *, dtype=None, high=1.0, low=0.0, seed=0.0) -> Expr:
    return _drawn(b, UNIFORM, dtype_of(dtype) if dtype else x.dtype, x.shape, high - low, low)


@onnx_op(since=15)
def Bernoulli(b: Emitter, x: Expr, *, dtype=None, seed=0.0) -> Expr:
    """Draw 1 where a uniform number is below x."""
    coins = _drawn(b, UNIFORM, x.dtype, x.shape) < x
    return coins.cast(dtype_of(dtype) if dtype else x.dtype)
