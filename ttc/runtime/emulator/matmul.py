"""Numerics of matrix products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.matmul import Linear, Matmul
from ttc.runtime.emulator.numerics import Mode, matrix_operand
from ttc.runtime.emulator.registry import emulates

ACTIVATIONS = {
    None: lambda x: x,
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


@emulates(Matmul, Linear)
def matmul(
    call: Matmul | Linear, mode: Mode, input_tensor_a: Tensor, input_tensor_b: Tensor, bias: Tensor | None = None
) -> Tensor:
    """a @ b, transposed as asked, plus bias, then the activation; rounded once at the end."""
    a = input_tensor_a.mT if call.transpose_a else input_tensor_a
    b = input_tensor_b.mT if call.transpose_b else input_tensor_b
    y = torch.matmul(matrix_operand(a, mode), matrix_operand(b, mode))
    if isinstance(call, Matmul):
        return y
    if bias is not None:
        y = y + bias.reshape(-1)
    return ACTIVATIONS[call.activation](y)
