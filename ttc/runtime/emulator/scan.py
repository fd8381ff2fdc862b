"""Numerics of prefix sums and products."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls import scan as calls
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(calls.Cumsum)
def cumsum(call: calls.Cumsum, mode: Mode, input: Tensor) -> Tensor:
    """Sum in fp64, as close as TTNN's compensated sums come; integers modulo 2^32."""
    dims = (call.dim,) if call.reverse_order else ()
    wide = torch.float64 if input.is_floating_point() else input.dtype
    return torch.cumsum(input.flip(dims), call.dim, dtype=wide).flip(dims).to(input.dtype)


@emulates(calls.Cumprod)
def cumprod(call: calls.Cumprod, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Multiply in fp32."""
    return torch.cumprod(input_tensor, call.dim)
