"""Readings of aten's activations; those that are one op of ours without parameters stand in `elementwise`."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast
from ttc.ir import Value


@aten("hardtanh")
def hardtanh(b: ExportBuilder, x: Value, min_val: Number = -1, max_val: Number = 1) -> Value:
    return b(ops.Clamp(x, min_val, max_val))


@aten("relu6")
def relu6(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Clamp(x, 0.0, 6.0))


@aten("hardsigmoid")
def hardsigmoid(b: ExportBuilder, x: Value) -> Value:
    return b(ops.HardSigmoid(x))


@aten("gelu")
def gelu(b: ExportBuilder, x: Value, approximate: str = "none") -> Value:
    return b(ops.Gelu(x, approximate == "tanh"))


@aten("leaky_relu")
def leaky_relu(b: ExportBuilder, x: Value, negative_slope: float = 0.01) -> Value:
    return b(ops.LeakyRelu(x, float(negative_slope)))


@aten("rrelu", "rrelu_with_noise")
def rrelu(b: ExportBuilder, x: Value, *operands: object, **keywords: object) -> Value:
    """A leaky relu with the mean of the slopes that training draws from."""
    numbers = [item for item in operands if not isinstance(item, Value)]
    lower, upper, training = [*numbers, *(1 / 8, 1 / 3, False)[len(numbers) :]][:3]
    if keywords.get("training", training):
        raise Refusal("random slopes are drawn in training alone: export the model in eval mode (model.eval())")
    mean = (float(keywords.get("lower", lower)) + float(keywords.get("upper", upper))) / 2  # type: ignore[arg-type]
    return b(ops.LeakyRelu(x, mean))


@aten("elu")
def elu(b: ExportBuilder, x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
    """scale * x where x > 0, else scale * alpha * (exp(input_scale * x) - 1)."""
    inner = x if input_scale == 1 else b(ops.Mul(x, cast(b, input_scale, x.dtype)))
    y = b(ops.Elu(inner, float(alpha * input_scale)))
    factor = scale / input_scale
    return y if factor == 1 else b(ops.Mul(y, cast(b, factor, x.dtype)))


@aten("selu")
def selu(b: ExportBuilder, x: Value) -> Value:
    return elu(b, x, 1.6732632423543772, 1.0507009873554805)


@aten("celu")
def celu(b: ExportBuilder, x: Value, alpha: float = 1.0) -> Value:
    return elu(b, x, alpha, 1, 1 / alpha)


@aten("softplus")
def softplus(b: ExportBuilder, x: Value, beta: Number = 1, threshold: Number = 20) -> Value:
    return b(ops.Softplus(x, float(beta), float(threshold)))


@aten("log_sigmoid")
def log_sigmoid(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Neg(b(ops.Softplus(b(ops.Neg(x))))))


@aten("threshold")
def threshold(b: ExportBuilder, x: Value, threshold: Number, value: Number) -> Value:
    return b(ops.Where(b(ops.Gt(x, cast(b, threshold, x.dtype))), x, cast(b, value, x.dtype)))


@aten("hardshrink")
def hardshrink(b: ExportBuilder, x: Value, lambd: Number = 0.5) -> Value:
    return b(ops.Where(b(ops.Gt(b(ops.Abs(x)), cast(b, lambd, x.dtype))), x, cast(b, 0, x.dtype)))


@aten("softshrink")
def softshrink(b: ExportBuilder, x: Value, lambd: Number = 0.5) -> Value:
    return b(ops.Sub(x, b(ops.Clamp(x, -lambd, lambd))))


@aten("prelu")
def prelu(b: ExportBuilder, x: Value, weight: Value) -> Value:
    slopes = compose.reshape(b, weight, (1, -1) + (1,) * (x.type.rank - 2) if x.type.rank > 1 else (-1,))
    return b(ops.Where(b(ops.Gt(x, cast(b, 0, x.dtype))), x, b(ops.Mul(x, slopes))))


@aten("glu")
def glu(b: ExportBuilder, x: Value, dim: int = -1) -> Value:
    half = x.shape[dim] // 2
    left, right = compose.parts(b, x, [half, half], dim)
    return b(ops.Mul(left, b(ops.Sigmoid(right))))
