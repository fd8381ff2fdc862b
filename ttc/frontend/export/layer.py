"""Readings of aten ops that are layers: products, convolutions, norms, attention."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.determinant import determinant
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.ir import DType, Value
from ttc.ops.torch_types import to_torch


@aten("linear")
def linear(b: ExportBuilder, x: Value, weight: Value, bias: Value | None = None) -> Value:
    if weight.type.rank == 1:
        y = compose.matmul(b, x, weight)
        return y if bias is None else b(ops.Add(y, bias))
    return b(ops.Linear(x, weight, bias))


@aten("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner")
def matmul(b: ExportBuilder, x: Value, other: Value) -> Value:
    return compose.matmul(b, x, other)


@aten("addmm", "baddbmm", "addmv")
def addmm(b: ExportBuilder, x: Value, a: Value, c: Value, beta: Number = 1, alpha: Number = 1) -> Value:
    product = compose.matmul(b, a, c)
    product = product if alpha == 1 else b(ops.Mul(product, result_as(b, alpha)))
    if beta == 0:
        return product
    return b(ops.Add(x if beta == 1 else b(ops.Mul(x, result_as(b, beta))), product))


@aten("outer", "ger")
def outer(b: ExportBuilder, x: Value, vec2: Value) -> Value:
    return b(ops.Mul(compose.unsqueeze(b, result_as(b, x), 1), compose.unsqueeze(b, result_as(b, vec2), 0)))


@aten("trace")
def trace(b: ExportBuilder, x: Value) -> Value:
    """The sum of what lies on the diagonal; the rest is not touched, as it may not be finite."""
    diagonal = ops.constant(b, torch.eye(*x.shape, dtype=torch.bool))
    return b(ops.Sum(b(ops.Where(diagonal, result_as(b, x), result_as(b, 0))), (0, 1)))


@aten("_linalg_det")
def linalg_det(b: ExportBuilder, x: Value) -> tuple[Value]:
    return (determinant(b, x),)


@aten("cdist", "_cdist_forward")
def cdist(b: ExportBuilder, x1: Value, x2: Value, p: float = 2.0, compute_mode: int | None = None) -> Value:
    """The norm of the difference of each row of x1 [.., P, M] and of x2 [.., R, M]: [.., P, R]."""
    difference = b(ops.Sub(compose.unsqueeze(b, x1, -2), compose.unsqueeze(b, x2, -3)))
    return compose.norm(b, difference, float(p), (difference.type.rank - 1,), keep=False)


@aten("bilinear")
def bilinear(b: ExportBuilder, x1: Value, x2: Value, weight: Value, bias: Value | None = None) -> Value:
    """y[.., k] = x1[.., i] weight[k, i, j] x2[.., j] + bias[k]."""
    out, left, right = weight.shape
    rows = compose.reshape(b, compose.permute(b, weight, (1, 0, 2)), (left, out * right))
    products = compose.reshape(b, b(ops.Matmul(x1, rows)), (*x1.shape[:-1], out, right))
    y = compose.matmul(b, products, compose.unsqueeze(b, x2, -1))
    y = compose.reshape(b, y, b.result.shape)
    return y if bias is None else b(ops.Add(y, bias))


@aten("embedding")
def embedding(
    b: ExportBuilder, weight: Value, indices: Value, padding_idx: int = -1, scale: bool = False, sparse: bool = False
) -> Value:
    return b(ops.Embedding(weight, indices))


@aten("layer_norm")
def layer_norm(
    b: ExportBuilder,
    x: Value,
    normalized_shape: list[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    return b(ops.LayerNorm(x, weight, bias, len(normalized_shape), float(eps)))


@aten("native_layer_norm")
def native_layer_norm(
    b: ExportBuilder, x: Value, normalized_shape: list[int], weight: Value | None, bias: Value | None, eps: float
) -> tuple[Value]:
    return (layer_norm(b, x, normalized_shape, weight, bias, eps),)


@aten("rms_norm")
def rms_norm(
    b: ExportBuilder, x: Value, normalized_shape: list[int], weight: Value | None = None, eps: float | None = None
) -> Value:
    """Several dimensions are merged into one; without eps it is the dtype's."""
    eps = torch.finfo(to_torch(x.dtype)).eps if eps is None else eps
    keep = x.type.rank - len(normalized_shape)
    rows = compose.reshape(b, x, (*x.shape[:keep], math.prod(x.shape[keep:])))
    w = None if weight is None else compose.reshape(b, weight, (-1,))
    return compose.reshape(b, b(ops.RmsNorm(rows, w, float(eps))), x.shape)


@aten("group_norm")
def group_norm(
    b: ExportBuilder,
    x: Value,
    num_groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Value:
    return b(ops.GroupNorm(x, weight, bias, num_groups, float(eps)))


@aten("instance_norm")
def instance_norm(
    b: ExportBuilder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Value:
    if use_input_stats:
        return b(ops.GroupNorm(x, weight, bias, x.shape[1], float(eps)))
    return batch_norm(b, x, weight, bias, running_mean, running_var, False, momentum, eps)


@aten("batch_norm")
def batch_norm(
    b: ExportBuilder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Value:
    if training or running_mean is None or running_var is None:
        raise Refusal("batch norm with the batch's own statistics: export the model in eval mode (model.eval())")
    channels = x.shape[1:2]
    w = full(b, channels, 1, x.dtype) if weight is None else weight
    shift = full(b, channels, 0, x.dtype) if bias is None else bias
    operands = (cast(b, operand, x.dtype) for operand in (w, shift, running_mean, running_var))
    return b(ops.BatchNorm(x, *operands, eps=float(eps)))


@aten("_native_batch_norm_legit_no_training")
def batch_norm_no_training(
    b: ExportBuilder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value,
    running_var: Value,
    momentum: float,
    eps: float,
) -> tuple[Value]:
    return (batch_norm(b, x, weight, bias, running_mean, running_var, False, momentum, eps),)


@aten("softmax", "_softmax", "special_softmax")
def softmax(b: ExportBuilder, x: Value, dim: int, dtype: DType | bool | None = None) -> Value:
    return b(ops.Softmax(result_as(b, x), compose.axis(x, dim)))


@aten("log_softmax", "_log_softmax")
def log_softmax(b: ExportBuilder, x: Value, dim: int, dtype: DType | bool | None = None) -> Value:
    return b(ops.LogSoftmax(result_as(b, x), compose.axis(x, dim)))


@aten("_weight_norm")
def weight_norm(b: ExportBuilder, v: Value, g: Value, dim: int = 0) -> Value:
    """v * g / |v|, the norm taken over all dimensions but `dim` (-1: over all)."""
    dims = tuple(i for i in range(v.type.rank) if dim == -1 or i != compose.axis(v, dim))
    return b(ops.Mul(v, b(ops.Div(g, compose.norm(b, v, 2, dims, keep=True)))))
