"""Numerics of elementwise calls with three operands."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.ternary import Addcmul, Lerp, SnakeBeta
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Lerp)
def lerp(
    call: Lerp, mode: Mode, input: Tensor, end: Tensor, weight: Tensor, output_tensor: Tensor | None = None
) -> Tensor:
    """Compute input + weight * (end - input) as written; round once."""
    return torch.addcmul(input, weight, end - input)


@emulates(Addcmul)
def addcmul(call: Addcmul, mode: Mode, input_a: Tensor, input_b: Tensor, input_c: Tensor) -> Tensor:
    """Compute input_a + value * input_b * input_c; round once."""
    return torch.addcmul(input_a, input_b, input_c, value=call.value)


@emulates(SnakeBeta)
def snake_beta(call: SnakeBeta, mode: Mode, input_tensor: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Compute input + sin(alpha * input)^2 / beta as written; round once."""
    return input_tensor + torch.sin(alpha * input_tensor).square() / beta
