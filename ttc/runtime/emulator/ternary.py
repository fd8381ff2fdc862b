"""Numerics of elementwise calls with three operands."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.ternary import Addcmul, Lerp, SnakeBeta, Where
from ttc.runtime.emulator.binary import number
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Where)
def where(
    call: Where,
    mode: Mode,
    predicate: Tensor,
    true_value: Tensor | None = None,
    false_value: Tensor | None = None,
    output_tensor: Tensor | None = None,
) -> Tensor:
    """Select by whether the predicate is 0."""
    dtype = call.tensors[-1].dtype
    packed = true_value is not None or false_value is not None
    a = number(call.true_value, dtype, packed) if true_value is None else true_value
    b = number(call.false_value, dtype, packed) if false_value is None else false_value
    return torch.where(predicate != 0, a, b)


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
