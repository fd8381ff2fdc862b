"""Numerics of calls that change a tensor's form: only a typecast changes numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.layout import Bitcast, ToLayout, ToMemoryConfig, Typecast
from ttc.ir import DType
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(ToLayout, ToMemoryConfig)
def move(call: ToLayout | ToMemoryConfig, mode: Mode, tensor: Tensor) -> Tensor:
    """Return the same numbers."""
    return tensor


@emulates(Bitcast)
def bitcast(call: Bitcast, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Reinterpret the bits; integers are held in int64."""
    if input_tensor.is_floating_point():
        return input_tensor.float().contiguous().view(torch.int32).to(torch.int64)
    bits = input_tensor.to(torch.int32)
    return bits.view(torch.float32) if call.dtype is DType.f32 else bits.to(torch.int64)


@emulates(Typecast)
def typecast(call: Typecast, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Convert floats to i32 and u32 towards zero and to u16 to nearest, saturating (TTNN's kernels); u8 wraps."""
    if call.dtype.is_float:
        return input_tensor.float()
    x = input_tensor
    if x.is_floating_point():
        x = torch.nan_to_num(x.double(), nan=float(2**32), posinf=float(2**32), neginf=-float(2**32))
        x = x.round() if call.dtype is DType.u16 else x.trunc()
    if call.dtype is DType.u8:
        return x.to(torch.int64) % 256
    if input_tensor.is_floating_point() or call.dtype is DType.u16:
        return x.clamp(*call.dtype.limits).to(torch.int64)
    x = x.to(torch.int64) % 2**32
    return torch.where(x >= 2**31, x - 2**32, x) if call.dtype is DType.i32 else x
