"""Numerics of matrix products."""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor

from ttc.calls.matmul import Linear, Matmul
from ttc.ir import DType
from ttc.runtime.emulator.activations import ACTIVATIONS
from ttc.runtime.emulator.numerics import Mode, load, store
from ttc.runtime.emulator.passes import product
from ttc.runtime.emulator.registry import emulates

ONEDNN = {
    None: ("none", ""),
    "relu": ("none", ""),  # applied after: oneDNN's own makes 0 of NaN, and rounding does not change a sign
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "silu": ("swish", ""),
    "sigmoid": ("sigmoid", ""),
    "tanh": ("tanh", ""),
}
"""Activations as oneDNN names them; oneDNN applies them to the fp32 sum, before the one rounding to bf16."""


@emulates(Matmul, Linear, stored=True)
def matmul(
    call: Matmul | Linear, mode: Mode, input_tensor_a: Tensor, input_tensor_b: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Compute a @ b, transposed as asked, add the bias, apply the activation; round once at the end.

    Products of bf16 are computed in bf16 where the CPU can: sums are in fp32 there too.
    """
    a = input_tensor_a.mT if call.transpose_a else input_tensor_a
    b = input_tensor_b.mT if call.transpose_b else input_tensor_b
    result = call.infer()
    activation = call.fused if isinstance(call, Linear) else None
    operands = (a, b) if bias is None else (a, b, bias)
    native = mode is Mode.exact and result.dtype is DType.bf16 and native_bf16()
    if native and all(x.dtype is torch.bfloat16 for x in operands):
        y = _native(a, b, None if bias is None else bias.reshape(-1), activation)
        return store(y.reshape(result.shape), result)
    multiply = torch.matmul if mode is Mode.exact else partial(product, config=call.compute, multiply=torch.matmul)
    y = multiply(load(a), load(b))
    if bias is not None:
        y = y + load(bias).reshape(-1)
    return store(y if activation is None else ACTIVATIONS[activation](y), result)


@cache
def native_bf16() -> bool:
    """Return whether this CPU multiplies bf16 matrices faster than float32 ones."""
    return torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()


def _native(a: Tensor, b: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    if b.shape[:-2].numel() != 1:
        return torch.matmul(a, b)
    name, algorithm = ONEDNN[activation]
    weight = b.reshape(b.shape[-2:]).contiguous().mT  # of strided ones oneDNN computes each element by itself
    y = torch.ops.mkldnn._linear_pointwise(a.contiguous(), weight, bias, name, [], algorithm)
    return torch.relu(y) if activation == "relu" else y
