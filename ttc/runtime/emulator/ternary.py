"""Numerics of elementwise calls with three operands."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.ternary import Lerp
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Lerp)
def lerp(
    call: Lerp, mode: Mode, input: Tensor, end: Tensor, weight: Tensor, output_tensor: Tensor | None = None
) -> Tensor:
    """Compute input + weight * (end - input) as written; round once."""
    return torch.addcmul(input, weight, end - input)
