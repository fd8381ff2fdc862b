"""Conversions between ttc's dtypes and torch's."""

from __future__ import annotations

import numpy as np
import torch

from ttc.errors import Refusal
from ttc.ir import DType, TensorType
from ttc.ir.types import LARGEST

__all__ = ["type_of"]

TORCH = {
    DType.f64: torch.float64,
    DType.f32: torch.float32,
    DType.f16: torch.float16,
    DType.bf16: torch.bfloat16,
    DType.i64: torch.int64,
    DType.i32: torch.int32,
    DType.i16: torch.int16,
    DType.i8: torch.int8,
    DType.u64: torch.uint64,
    DType.u32: torch.uint32,
    DType.u16: torch.uint16,
    DType.u8: torch.uint8,
    DType.bool: torch.bool,
    DType.c64: torch.complex64,
}
FROM_TORCH = {theirs: ours for ours, theirs in TORCH.items()}
HELD = {
    DType.i4: torch.int8,
    DType.u4: torch.uint8,
    DType.i2: torch.int8,
    DType.u2: torch.uint8,
    DType.f8e4m3fn: torch.float32,
    DType.f8e4m3fnuz: torch.float32,
    DType.f8e5m2: torch.float32,
    DType.f8e5m2fnuz: torch.float32,
    DType.f8e8m0: torch.float32,
    DType.f4e2m1: torch.float32,
}
"""Dtypes that torch does not compute in, and the dtypes that hold their values."""


def to_torch(dtype: DType) -> torch.dtype:
    """Return the torch dtype that holds `dtype`."""
    return HELD[dtype] if dtype in HELD else TORCH[dtype]


def as_signed(x: torch.Tensor) -> torch.Tensor:
    """Return the bits of unsigned integers that torch does not flip or gather as signed ones; other tensors as such."""
    return x.view(_SIGNED.get(x.dtype, x.dtype))


_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


def type_of(tensor: torch.Tensor) -> TensorType:
    """Return ttc's type of a torch tensor."""
    return TensorType(FROM_TORCH[tensor.dtype], tuple(tensor.shape))


def tensor_of(array: np.ndarray, dtype: DType) -> torch.Tensor:
    """Return a torch tensor over a weight's array (bf16 arrives as uint16 bit patterns)."""
    if not array.flags.writeable or not array.flags.c_contiguous:
        array = np.array(array)
    return (
        torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if dtype is DType.bf16 else torch.from_numpy(array)
    )


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """Return a weight's array over a torch tensor (bf16 as uint16 bit patterns)."""
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def stored_as(x: torch.Tensor, dtype: DType) -> torch.Tensor:
    """Convert numbers to the dtype that a program stores them in, finite ones clamped to its finite range.

    Refusal for an integer that an integer dtype does not hold, which would come back as another.
    """
    if x.numel() and FROM_TORCH[x.dtype].is_integer and dtype.is_integer:
        limits, numbers = torch.iinfo(to_torch(dtype)), x.numpy()
        for number in (int(numbers.min()), int(numbers.max())):
            if not limits.min <= number <= limits.max:
                raise Refusal(f"the integer {number} does not fit the device's {limits.bits} bits")
    largest = LARGEST.get(dtype)
    if largest is not None and x.is_floating_point():
        x = torch.where(x.isfinite(), x.clamp(-largest, largest), x) if bool((x.abs() > largest).any()) else x
    return x.to(to_torch(dtype))
