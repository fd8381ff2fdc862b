"""The operators of onnxruntime's domain that its transformer optimiser writes."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.conv import Conv
from ttc.frontend.onnx.elementwise import scaled
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.matmul import matmul, swapped
from ttc.frontend.onnx.norm import layer_norm, rms_norm
from ttc.frontend.onnx.table import MICROSOFT, onnx_op
from ttc.ir import Value


@onnx_op(domain=MICROSOFT)
def Gelu(b: Emitter, x: Value) -> Value:
    return b(ops.Gelu(x))


@onnx_op(domain=MICROSOFT)
def BiasGelu(b: Emitter, x: Value, bias: Value) -> Value:
    return b(ops.Gelu(b(ops.Add(x, bias))))


@onnx_op(domain=MICROSOFT)
def FastGelu(b: Emitter, x: Value, bias: Value | None = None) -> Value:
    return b(ops.Gelu(x if bias is None else b(ops.Add(x, bias)), True))


@onnx_op(domain=MICROSOFT)
def QuickGelu(b: Emitter, x: Value, *, alpha=1.702) -> Value:
    return b(ops.Mul(x, b(ops.Sigmoid(scaled(b, x, alpha)))))


@onnx_op(domain=MICROSOFT)
def FusedMatMul(
    b: Emitter, x: Value, y: Value, *, alpha=1.0, transA=0, transB=0, transBatchA=0, transBatchB=0
) -> Value:
    if transBatchA or transBatchB:
        raise Refusal("moves its batch dimensions")
    return scaled(b, matmul(b, swapped(b, x) if transA else x, swapped(b, y) if transB else y), alpha)


@onnx_op(domain=MICROSOFT)
def SkipLayerNormalization(
    b: Emitter, x: Value, skip: Value, gamma: Value, beta: Value | None = None, bias: Value | None = None, *,
    epsilon=1e-12,
) -> list[Value | None]:  # fmt: skip
    total = _skipped(b, x, skip, bias)
    y = layer_norm(b, total, gamma, beta, total.type.rank - 1, epsilon)
    return _with_sum(b, y, total)


@onnx_op(domain=MICROSOFT)
def SkipSimplifiedLayerNormalization(
    b: Emitter, x: Value, skip: Value, gamma: Value, bias: Value | None = None, *, epsilon=1e-12
) -> list[Value | None]:
    total = _skipped(b, x, skip, bias)
    return _with_sum(b, rms_norm(b, total, gamma, total.type.rank - 1, epsilon), total)


def _skipped(b: Emitter, x: Value, skip: Value, bias: Value | None) -> Value:
    total = b(ops.Add(x, skip))
    return total if bias is None else b(ops.Add(total, bias))


def _with_sum(b: Emitter, y: Value, total: Value) -> list[Value | None]:
    """The fourth output is the sum that was normalised; the second and third (statistics) are for training."""
    if b.wants(1) or b.wants(2):
        raise Refusal("its mean and variance outputs are not supported")
    return [y, None, None, total]


@onnx_op(domain=MICROSOFT)
def FusedConv(
    b: Emitter, x: Value, w: Value, bias: Value | None = None, z: Value | None = None, *, activation="",
    activation_params=(), auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None,
) -> Value:  # fmt: skip
    y = Conv(
        b, x, w, bias, auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads,
        strides=strides,
    )  # fmt: skip
    y = y if z is None else b(ops.Add(y, z))
    match activation:
        case "":
            return y
        case "Relu" | "Sigmoid" | "Tanh":
            return b({"Relu": ops.Relu, "Sigmoid": ops.Sigmoid, "Tanh": ops.Tanh}[activation](y))
        case "LeakyRelu":
            return b(ops.LeakyRelu(y, *activation_params[:1]))
        case "Clip":
            return b(ops.Clamp(y, *activation_params[:2]))
        case "HardSigmoid":
            return b(ops.HardSigmoid(y, *activation_params[:2]))
    raise Refusal(f"no activation is called {activation!r}")
