"""Readings of aten ops that are layers: products, convolutions, norms, attention."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend import einsum as shared
from ttc.frontend.determinant import determinant
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, full
from ttc.ir import DType, Op
from ttc.ops.expr import Expr, apply, rsqrt, where
from ttc.ops.torch_types import to_torch


@aten("linear")
def linear(b: ExportBuilder, x: Expr, weight: Expr, bias: Expr | None = None) -> Expr:
    if weight.rank == 1:
        y = compose.matmul(x, weight)
        return y if bias is None else y + bias
    return apply(ops.Linear, x, weight, bias)


@aten("matmul", "mm", "bmm", "mv", "dot", "vdot")
def matmul(b: ExportBuilder, x: Expr, other: Expr) -> Expr:
    return compose.matmul(x, other)


@aten("inner")
def inner(b: ExportBuilder, x: Expr, other: Expr) -> Expr:
    """Compute y[.., *rest] = x[.., i] other[*rest, i]; of a scalar, the product with each element."""
    if not x.rank or not other.rank:
        return x * other
    rows = other.reshape(math.prod(other.shape[:-1]), other.shape[-1])
    return compose.matmul(x, rows.permute(1, 0)).reshape(*b.result.shape)


@aten("einsum")
def einsum(b: ExportBuilder, equation: str, tensors: list[Expr], path: list[int] | None = None) -> Expr:
    return shared.einsum(b, equation, tensors)


@aten("addmm", "baddbmm", "addmv")
def addmm(b: ExportBuilder, x: Expr, a: Expr, c: Expr, beta: Number = 1, alpha: Number = 1) -> Expr:
    product = compose.matmul(a, c)
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    return (x if beta == 1 else x * beta) + product


@aten("addbmm")
def addbmm(b: ExportBuilder, x: Expr, a: Expr, c: Expr, beta: Number = 1, alpha: Number = 1) -> Expr:
    """Add the sum of a batch's products, which is one product: [N, n, k] as [n, N k] and [N, k, m] as [N k, m]."""
    batch, rows, inner = a.shape
    wide = a.permute(1, 0, 2).reshape(rows, batch * inner)
    return addmm(b, x, wide, c.reshape(batch * inner, c.shape[2]), beta, alpha)


@aten("outer", "ger")
def outer(b: ExportBuilder, x: Expr, vec2: Expr) -> Expr:
    return compose.unsqueeze(result_as(b, x), 1) * compose.unsqueeze(result_as(b, vec2), 0)


@aten("trace")
def trace(b: ExportBuilder, x: Expr) -> Expr:
    """Sum the diagonal; other elements are not touched, as they may not be finite."""
    diagonal = b.constant(torch.eye(*x.shape, dtype=torch.bool))
    return where(diagonal, result_as(b, x), 0).sum((0, 1))


@aten("_linalg_det")
def linalg_det(b: ExportBuilder, x: Expr) -> tuple[Expr]:
    return (determinant(x),)


@aten("cdist", "_cdist_forward")
def cdist(b: ExportBuilder, x1: Expr, x2: Expr, p: float = 2.0, compute_mode: int | None = None) -> Expr:
    """Compute the norm of the difference of each row of x1 [.., P, M] and of x2 [.., R, M]: [.., P, R]."""
    difference = compose.unsqueeze(x1, -2) - compose.unsqueeze(x2, -3)
    return compose.norm(difference, float(p), (difference.rank - 1,), keep=False)


@aten("bilinear")
def bilinear(b: ExportBuilder, x1: Expr, x2: Expr, weight: Expr, bias: Expr | None = None) -> Expr:
    """Compute y[.., k] = x1[.., i] weight[k, i, j] x2[.., j] + bias[k]."""
    out, left, right = weight.shape
    rows = weight.permute(1, 0, 2).reshape(left, out * right)
    products = (x1 @ rows).reshape(*x1.shape[:-1], out, right)
    y = compose.matmul(products, compose.unsqueeze(x2, -1))
    y = y.reshape(*b.result.shape)
    return y if bias is None else y + bias


@aten("embedding")
def embedding(
    b: ExportBuilder, weight: Expr, indices: Expr, padding_idx: int = -1, scale: bool = False, sparse: bool = False
) -> Expr:
    return apply(ops.Embedding, weight, indices)


@aten("layer_norm")
def layer_norm(
    b: ExportBuilder,
    x: Expr,
    normalized_shape: list[int],
    weight: Expr | None = None,
    bias: Expr | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Expr:
    return _with_parameters(ops.LayerNorm, x, weight, bias, len(normalized_shape), float(eps))


def _with_parameters(norm: type[Op], x: Expr, weight: Expr | None, bias: Expr | None, *attributes: int | float) -> Expr:
    """Apply a norm; one of bfloat16 with parameters of float32 is computed in float32, as torch does on the CPU."""
    mixed = any(item is not None and item.dtype is not x.dtype for item in (weight, bias))
    operands = [item.cast(DType.f32) if mixed and item is not None else item for item in (x, weight, bias)]
    return apply(norm, *operands, *attributes).cast(x.dtype)


@aten("native_layer_norm")
def native_layer_norm(
    b: ExportBuilder, x: Expr, normalized_shape: list[int], weight: Expr | None, bias: Expr | None, eps: float
) -> tuple[Expr]:
    return (layer_norm(b, x, normalized_shape, weight, bias, eps),)


@aten("rms_norm")
def rms_norm(
    b: ExportBuilder, x: Expr, normalized_shape: list[int], weight: Expr | None = None, eps: float | None = None
) -> Expr:
    """Normalise over several dimensions merged into one; the default eps is the dtype's."""
    eps = torch.finfo(to_torch(x.dtype)).eps if eps is None else eps
    keep = x.rank - len(normalized_shape)
    rows = x.reshape(*x.shape[:keep], math.prod(x.shape[keep:]))
    w = None if weight is None else weight.view(-1)
    return apply(ops.RmsNorm, rows, w, float(eps)).reshape(*x.shape)


@aten("group_norm")
def group_norm(
    b: ExportBuilder,
    x: Expr,
    num_groups: int,
    weight: Expr | None = None,
    bias: Expr | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Expr:
    return _with_parameters(ops.GroupNorm, x, weight, bias, num_groups, float(eps))


@aten("native_group_norm")
def native_group_norm(
    b: ExportBuilder,
    x: Expr,
    weight: Expr | None,
    bias: Expr | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Expr]:
    return (group_norm(b, x, group, weight, bias, eps),)


@aten("instance_norm")
def instance_norm(
    b: ExportBuilder,
    x: Expr,
    weight: Expr | None,
    bias: Expr | None,
    running_mean: Expr | None,
    running_var: Expr | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Expr:
    if use_input_stats:
        return apply(ops.GroupNorm, x, weight, bias, x.shape[1], float(eps))
    return batch_norm(b, x, weight, bias, running_mean, running_var, False, momentum, eps)


@aten("batch_norm")
def batch_norm(
    b: ExportBuilder,
    x: Expr,
    weight: Expr | None,
    bias: Expr | None,
    running_mean: Expr | None,
    running_var: Expr | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Expr:
    if training or running_mean is None or running_var is None:
        raise Refusal("batch norm with the batch's own statistics: export the model in eval mode (model.eval())")
    channels = x.shape[1:2]
    w = full(b, channels, 1, x.dtype) if weight is None else weight
    shift = full(b, channels, 0, x.dtype) if bias is None else bias
    operands = (operand.cast(x.dtype) for operand in (w, shift, running_mean, running_var))
    return apply(ops.BatchNorm, x, *operands, eps=float(eps))


@aten("_native_batch_norm_legit_no_training")
def batch_norm_no_training(
    b: ExportBuilder,
    x: Expr,
    weight: Expr | None,
    bias: Expr | None,
    running_mean: Expr,
    running_var: Expr,
    momentum: float,
    eps: float,
) -> tuple[Expr]:
    return (batch_norm(b, x, weight, bias, running_mean, running_var, False, momentum, eps),)


@aten("_native_batch_norm_legit_functional")
def batch_norm_training(
    b: ExportBuilder,
    x: Expr,
    weight: Expr | None,
    bias: Expr | None,
    running_mean: Expr,
    running_var: Expr,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Expr, ...]:
    """Normalise by the batch's own statistics; give these (mean, 1 / deviation) and the new running ones."""
    y, mean, var, scale = _by_its_own(x, weight, bias, eps)
    count = x.type.numel // x.shape[1]
    now = (mean, var * (count / max(count - 1, 1)))
    new = (old * (1 - momentum) + item * momentum for old, item in zip((running_mean, running_var), now, strict=True))
    return y, mean, scale, *new


@aten("_native_batch_norm_legit.no_stats")
def batch_norm_without_statistics(
    b: ExportBuilder, x: Expr, weight: Expr | None, bias: Expr | None, training: bool, momentum: float, eps: float
) -> tuple[Expr, ...]:
    """Normalise by the batch's own statistics, where the module keeps none; give these (mean, 1 / deviation)."""
    y, mean, _, scale = _by_its_own(x, weight, bias, eps)
    return y, mean, scale


def _by_its_own(x: Expr, weight: Expr | None, bias: Expr | None, eps: float) -> tuple[Expr, Expr, Expr, Expr]:
    """Normalise x [N, C, ..] over all but C; return the result, and means, variances and 1 / deviations [C]."""
    dims, channels = (0, *range(2, x.rank)), x.shape[1]
    shape = (1, channels, *(1,) * (x.rank - 2))
    mean = x.mean(dims, keep=True)
    centred = x - mean
    var = (centred * centred).mean(dims, keep=True)
    scale = rsqrt(var + eps)
    y = centred * scale
    y = y if weight is None else y * weight.reshape(*shape)
    y = y if bias is None else y + bias.reshape(*shape)
    return y, mean.reshape(channels), var.reshape(channels), scale.reshape(channels)


@aten("softmax", "_softmax", "special_softmax")
def softmax(b: ExportBuilder, x: Expr, dim: int, dtype: DType | bool | None = None) -> Expr:
    return apply(ops.Softmax, result_as(b, x), compose.axis(x, dim))


@aten("log_softmax", "_log_softmax")
def log_softmax(b: ExportBuilder, x: Expr, dim: int, dtype: DType | bool | None = None) -> Expr:
    return apply(ops.LogSoftmax, result_as(b, x), compose.axis(x, dim))


@aten("_weight_norm")
def weight_norm(b: ExportBuilder, v: Expr, g: Expr, dim: int = 0) -> Expr:
    """Compute v * g / |v|, the norm taken over all dimensions but `dim` (-1: over all)."""
    dims = tuple(i for i in range(v.rank) if dim == -1 or i != compose.axis(v, dim))
    return v * (g / compose.norm(v, 2, dims, keep=True))
