"""The card's number formats on the CPU.

torch holds bf16 as bfloat16; bfp8 and bfp4 as bfloat16, whose 8 significant bits are enough for theirs; f32 as
float32; i32, u16 and u8 as int32; u32 as int64.
"""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor

from ttc.ir import DType, Spec

STORED = {
    DType.bf16: torch.bfloat16,
    DType.bfp8: torch.bfloat16,
    DType.bfp4: torch.bfloat16,
    DType.f32: torch.float32,
    DType.i32: torch.int32,
    DType.u32: torch.int64,
    DType.u16: torch.int32,
    DType.u8: torch.int32,
}


SMALLEST_NORMAL = torch.finfo(torch.float32).tiny


class Mode(Enum):
    """Arithmetic inside calls. `exact`: IEEE fp32, rounded at a call's end. `tensix`: as the card's matrix engine."""

    exact = "exact"
    tensix = "tensix"


def store(x: Tensor, spec: Spec) -> Tensor:
    """Round numbers to the format of `spec`, as a call does when it writes its result."""
    if spec.dtype is DType.bfp8:
        return round_block_float(x.float(), 7).to(torch.bfloat16)
    if spec.dtype is DType.bfp4:
        return round_block_float(x.float(), 3).to(torch.bfloat16)
    if spec.dtype.is_integer and x.is_floating_point():
        x = x.trunc()
    return x.to(STORED[spec.dtype])


def load(x: Tensor) -> Tensor:
    """Return a stored tensor as numbers to compute with: float32 for floats, integers unchanged."""
    return x.float() if x.is_floating_point() else x


def round_block_float(x: Tensor, bits: int) -> Tensor:
    """Round float32 to a block format: 16 elements of a row share the largest exponent, `bits` mantissa bits each.

    Rounding is to nearest even, saturating; denormals and numbers that round to -0 become +0, and an infinity or NaN
    takes the exponent above all numbers, so that the block's other elements vanish: TTNN's own conversion, bit for
    bit.
    """
    width = x.shape[-1] if x.ndim else 1
    padded = torch.nn.functional.pad(x.reshape(-1, width), (0, -width % 16)).reshape(-1, 16)
    padded = torch.where(padded.abs() < SMALLEST_NORMAL, 0.0, padded)
    if not padded.isfinite().all():
        padded = _beyond_infinity(padded)
    # The largest |x| of a block is in [2^(exponent - 1), 2^exponent): one step of `bits` bits is 2^(exponent - bits).
    _, exponent = torch.frexp(padded.abs().amax(dim=1, keepdim=True))
    step = torch.ldexp(torch.ones_like(padded[:, :1]), exponent - bits)
    limit = 2**bits - 1
    rounded = torch.clamp(torch.round(padded / step), -limit, limit) * step + 0.0
    rounded = torch.where(rounded.abs() > 2.0**128, torch.nan, rounded).float()
    return rounded.reshape(-1, width + (-width % 16))[:, :width].reshape(x.shape)


def _beyond_infinity(x: Tensor) -> Tensor:
    """Return float32 as float64, infinity as 2^128 and NaNs above it by their mantissas, as the bits would read."""
    bits = x.view(torch.int32)
    magnitude = (1 + (bits & 0x7FFFFF).double() / 2**23) * 2.0**128
    return torch.where(x.isfinite(), x.double(), torch.where(bits < 0, -magnitude, magnitude))
