"""ONNX random operators: the numbers come in as inputs, drawn by a session where its user gives none.

A model's own `seed` is not used: no two frameworks draw the same numbers from one.
"""

from __future__ import annotations

from ttc import ops
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import DType, TensorType, Value
from ttc.ir.random import NORMAL, UNIFORM, random_name


def _drawn(b: Emitter, kind: str, dtype: DType, shape: Ints, slope: float = 1.0, offset: float = 0.0) -> Value:
    """A new random input, times `slope` plus `offset`."""
    x = b.input(TensorType(dtype, tuple(shape)), random_name(kind, b.drawn))
    b.drawn += 1
    x = x if slope == 1 else b(ops.Mul(x, b.full(slope, dtype)))
    return x if offset == 0 else b(ops.Add(x, b.full(offset, dtype)))


@onnx_op()
def RandomNormal(b: Emitter, *, shape: Ints, dtype=1, mean=0.0, scale=1.0, seed=0.0) -> Value:
    return _drawn(b, NORMAL, dtype_of(dtype), shape, scale, mean)


@onnx_op()
def RandomNormalLike(b: Emitter, x: Value, *, dtype=None, mean=0.0, scale=1.0, seed=0.0) -> Value:
    return _drawn(b, NORMAL, dtype_of(dtype) if dtype else x.dtype, x.shape, scale, mean)


@onnx_op()
def RandomUniform(b: Emitter, *, shape: Ints, dtype=1, high=1.0, low=0.0, seed=0.0) -> Value:
    return _drawn(b, UNIFORM, dtype_of(dtype), shape, high - low, low)


@onnx_op()
def RandomUniformLike(b: Emitter, x: Value, *, dtype=None, high=1.0, low=0.0, seed=0.0) -> Value:
    return _drawn(b, UNIFORM, dtype_of(dtype) if dtype else x.dtype, x.shape, high - low, low)


@onnx_op(since=15)
def Bernoulli(b: Emitter, x: Value, *, dtype=None, seed=0.0) -> Value:
    """1 where a uniform number is below x."""
    coins = b(ops.Lt(_drawn(b, UNIFORM, x.dtype, x.shape), x))
    return b.cast(coins, dtype_of(dtype) if dtype else x.dtype)
