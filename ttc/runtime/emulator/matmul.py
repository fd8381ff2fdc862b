"""Numerics of matrix products."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ttc.calls.matmul import Linear, Matmul
from ttc.runtime.emulator.activations import ACTIVATIONS
from ttc.runtime.emulator.native import ONEDNN, takes_native_bf16
from ttc.runtime.emulator.numerics import Mode, load, store
from ttc.runtime.emulator.passes import product
from ttc.runtime.emulator.registry import emulates


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
    if mode is Mode.exact and takes_native_bf16(result, operands):
        y = _native(a, b, None if bias is None else bias.reshape(-1), activation)
        return store(y.reshape(result.shape), result)
    multiply = torch.matmul if mode is Mode.exact else partial(product, config=call.compute, multiply=torch.matmul)
    y = multiply(load(a), load(b))
    if bias is not None:
        y = y + load(bias).reshape(-1)
    return store(y if activation is None else ACTIVATIONS[activation](y), result)


def _native(a: Tensor, b: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    if b.shape[:-2].numel() != 1:
        return torch.matmul(a, b)
    name, algorithm = ONEDNN[activation]
    weight = b.reshape(b.shape[-2:]).contiguous().mT  # of strided ones oneDNN computes each element by itself
    y = torch.ops.mkldnn._linear_pointwise(a.contiguous(), weight, bias, name, [], algorithm)
    return torch.relu(y) if activation == "relu" else y
