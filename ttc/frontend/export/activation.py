"""Readings of aten's activations; those that are one op of ours without parameters stand in `elementwise`."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, Number, aten
from ttc.ops.expr import Expr, apply, sigmoid, where


@aten("hardtanh")
def hardtanh(b: ExportBuilder, x: Expr, min_val: Number = -1, max_val: Number = 1) -> Expr:
    ends = (min_val, max_val) if x.dtype.is_float else (int(min_val), int(max_val))
    return x.clamp(*ends)


@aten("relu6")
def relu6(b: ExportBuilder, x: Expr) -> Expr:
    return hardtanh(b, x, 0, 6)


@aten("hardsigmoid")
def hardsigmoid(b: ExportBuilder, x: Expr) -> Expr:
    return apply(ops.HardSigmoid, x)


@aten("gelu")
def gelu(b: ExportBuilder, x: Expr, approximate: str = "none") -> Expr:
    return apply(ops.Gelu, x, approximate == "tanh")


@aten("leaky_relu")
def leaky_relu(b: ExportBuilder, x: Expr, negative_slope: float = 0.01) -> Expr:
    return apply(ops.LeakyRelu, x, float(negative_slope))


@aten("rrelu", "rrelu_with_noise")
def rrelu(b: ExportBuilder, x: Expr, *operands: object, **keywords: object) -> Expr:
    """Apply a leaky relu with the mean of the slopes that training draws from."""
    numbers = [item for item in operands if not isinstance(item, Expr)]
    lower, upper, training = [*numbers, *(1 / 8, 1 / 3, False)[len(numbers) :]][:3]
    if keywords.get("training", training):
        raise Refusal("random slopes are drawn in training alone: export the model in eval mode (model.eval())")
    mean = (float(keywords.get("lower", lower)) + float(keywords.get("upper", upper))) / 2  # type: ignore[arg-type]
    return apply(ops.LeakyRelu, x, mean)


@aten("elu")
def elu(b: ExportBuilder, x: Expr, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Expr:
    """Compute scale * x where x > 0, else scale * alpha * (exp(input_scale * x) - 1)."""
    if input_scale <= 0:  # the sign of x decides, not that of input_scale * x
        return where(x > 0, x, apply(ops.Expm1, x * input_scale) * alpha) * scale
    inner = x if input_scale == 1 else x * input_scale
    y = apply(ops.Elu, inner, float(alpha * input_scale))
    factor = scale / input_scale
    return y if factor == 1 else y * factor


@aten("selu")
def selu(b: ExportBuilder, x: Expr) -> Expr:
    return elu(b, x, 1.6732632423543772, 1.0507009873554805)


@aten("celu")
def celu(b: ExportBuilder, x: Expr, alpha: float = 1.0) -> Expr:
    return elu(b, x, alpha, 1, 1 / alpha)


@aten("softplus")
def softplus(b: ExportBuilder, x: Expr, beta: Number = 1, threshold: Number = 20) -> Expr:
    return apply(ops.Softplus, x, float(beta), float(threshold))


@aten("log_sigmoid")
def log_sigmoid(b: ExportBuilder, x: Expr) -> Expr:
    return -apply(ops.Softplus, -x)


@aten("threshold")
def threshold(b: ExportBuilder, x: Expr, threshold: Number, value: Number) -> Expr:
    return where(x <= x.number(threshold), x.number(value), x)  # NaN stays


@aten("hardshrink")
def hardshrink(b: ExportBuilder, x: Expr, lambd: Number = 0.5) -> Expr:
    return where(abs(x) <= lambd, 0, x)  # NaN stays


@aten("softshrink")
def softshrink(b: ExportBuilder, x: Expr, lambd: Number = 0.5) -> Expr:
    return x - x.clamp(-lambd, lambd)


@aten("prelu")
def prelu(b: ExportBuilder, x: Expr, weight: Expr) -> Expr:
    slopes = weight.view(*(1, -1, *(1,) * (x.rank - 2)) if x.rank > 1 else (-1,))
    return where(x > 0, x, x * slopes).reshape(*x.shape)


@aten("glu")
def glu(b: ExportBuilder, x: Expr, dim: int = -1) -> Expr:
    half = x.shape[dim] // 2
    left, right = compose.parts(x, [half, half], dim)
    return left * sigmoid(right)
