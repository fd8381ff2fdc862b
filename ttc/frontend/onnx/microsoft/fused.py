"""Activations, products, norms and convolutions that onnxruntime fuses."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.conv import Conv
from ttc.frontend.onnx.elementwise import scaled
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.matmul import Gemm, matmul, swapped
from ttc.frontend.onnx.norm import layer_norm, rms_norm
from ttc.frontend.onnx.table import MICROSOFT, Ints, Numbers, entries, onnx_op
from ttc.ops.expr import Expr, apply, sigmoid


@onnx_op(domain=MICROSOFT)
def Gelu(b: Emitter, x: Expr) -> Expr:
    return apply(ops.Gelu, x)


@onnx_op(domain=MICROSOFT)
def BiasGelu(b: Emitter, x: Expr, bias: Expr) -> Expr:
    return apply(ops.Gelu, x + bias)


@onnx_op(domain=MICROSOFT)
def FastGelu(b: Emitter, x: Expr, bias: Expr | None = None) -> Expr:
    return apply(ops.Gelu, x if bias is None else x + bias, True)


@onnx_op(domain=MICROSOFT)
def QuickGelu(b: Emitter, x: Expr, *, alpha=1.702) -> Expr:
    return x * sigmoid(scaled(x, alpha))


@onnx_op(domain=MICROSOFT)
def FusedMatMul(b: Emitter, x: Expr, y: Expr, *, alpha=1.0, transA=0, transB=0, transBatchA=0, transBatchB=0) -> Expr:
    """Multiply matrices whose first dimension may lie before the batch's, and whose rows may be columns."""
    x = _batch_first(x) if transBatchA else x
    y = _batch_first(y) if transBatchB else y
    return scaled(matmul(swapped(x) if transA else x, swapped(y) if transB else y), alpha)


ACTIVATIONS = (
    "Elu", "HardSigmoid", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu",
)  # fmt: skip
"""Operators of ONNX that onnxruntime runs at the end of FusedGemm."""


@onnx_op(domain=MICROSOFT)
def FusedGemm(
    b: Emitter, x: Expr, w: Expr, c: Expr | None = None, *, activation="", activation_alpha: float | None = None,
    activation_beta: float | None = None, activation_gamma: float | None = None, alpha=1.0, beta=1.0, transA=0,
    transB=0,
) -> Expr:  # fmt: skip
    """Compute Gemm and an operator of ONNX's own, whose attributes have "activation_" before their names."""
    y = Gemm(b, x, w, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    check_word("activation", activation, *ACTIVATIONS)
    given = {"alpha": activation_alpha, "beta": activation_beta, "gamma": activation_gamma}
    entry = entries()[activation]
    return entry.call(b, [y], {name: number for name, number in given.items() if number is not None})


def _batch_first(x: Expr) -> Expr:
    """Move the first dimension behind the batch's: [rows, ..., columns] -> [..., rows, columns]."""
    if x.rank < 2:
        raise Refusal(f"moves the batch dimensions of {x.type}")
    return x.permute(*range(1, x.rank - 1), 0, x.rank - 1)


@onnx_op(domain=MICROSOFT)
def SkipLayerNormalization(
    b: Emitter, x: Expr, skip: Expr, gamma: Expr, beta: Expr | None = None, bias: Expr | None = None, *,
    epsilon=1e-12,
) -> list[Expr | None]:  # fmt: skip
    total = _skipped(x, skip, bias)
    y = layer_norm(total, gamma, beta, total.rank - 1, epsilon)
    return _with_sum(b, y, total)


@onnx_op(domain=MICROSOFT)
def SkipSimplifiedLayerNormalization(
    b: Emitter, x: Expr, skip: Expr, gamma: Expr, bias: Expr | None = None, *, epsilon=1e-12
) -> list[Expr | None]:
    total = _skipped(x, skip, bias)
    return _with_sum(b, rms_norm(total, gamma, total.rank - 1, epsilon), total)


def _skipped(x: Expr, skip: Expr, bias: Expr | None) -> Expr:
    total = x + skip
    return total if bias is None else total + bias


def _with_sum(b: Emitter, y: Expr, total: Expr) -> list[Expr | None]:
    """Return y and, as the fourth output, the sum that was normalised; Refusal of the statistics, used for training."""
    if b.wants(1) or b.wants(2):
        raise Refusal("its mean and variance outputs are not supported")
    return [y, None, None, total]


@onnx_op(domain=MICROSOFT)
def FusedConv(
    b: Emitter, x: Expr, w: Expr, bias: Expr | None = None, z: Expr | None = None, *, activation="",
    activation_params: Numbers = (), auto_pad="NOTSET", dilations: Ints | None = None, group=1,
    kernel_shape: Ints | None = None, pads: Ints | None = None, strides: Ints | None = None,
) -> Expr:  # fmt: skip
    y = Conv(
        b, x, w, bias, auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads,
        strides=strides,
    )  # fmt: skip
    y = y if z is None else y + z
    match activation:
        case "":
            return y
        case "Relu" | "Sigmoid" | "Tanh":
            return apply({"Relu": ops.Relu, "Sigmoid": ops.Sigmoid, "Tanh": ops.Tanh}[activation], y)
        case "LeakyRelu":
            return apply(ops.LeakyRelu, y, *activation_params[:1])
        case "Clip":
            return y.clamp(*activation_params[:2])
        case "HardSigmoid":
            return apply(ops.HardSigmoid, y, *activation_params[:2])
    raise Refusal(f"no activation is called {activation!r}")
