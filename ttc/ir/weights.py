"""Weights by reference: a name, a type, and a way to read the data (none for fake weights)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ttc.errors import InputError
from ttc.ir.types import LARGEST, DType, TensorType

NUMPY = {
    DType.f64: np.dtype("float64"),
    DType.f32: np.dtype("float32"),
    DType.f16: np.dtype("float16"),
    DType.bf16: np.dtype("uint16"),  # numpy has no bf16: the bit pattern
    DType.i64: np.dtype("int64"),
    DType.i32: np.dtype("int32"),
    DType.i16: np.dtype("int16"),
    DType.i8: np.dtype("int8"),
    DType.u64: np.dtype("uint64"),
    DType.u32: np.dtype("uint32"),
    DType.u16: np.dtype("uint16"),
    DType.u8: np.dtype("uint8"),
    DType.bool: np.dtype("bool"),
    DType.c64: np.dtype("complex64"),
    DType.i4: np.dtype("int8"),
    DType.u4: np.dtype("uint8"),
    DType.i2: np.dtype("int8"),
    DType.u2: np.dtype("uint8"),
    DType.f8e4m3fn: np.dtype("float32"),
    DType.f8e4m3fnuz: np.dtype("float32"),
    DType.f8e5m2: np.dtype("float32"),
    DType.f8e5m2fnuz: np.dtype("float32"),
    DType.f8e8m0: np.dtype("float32"),
    DType.f4e2m1: np.dtype("float32"),
}
"""numpy's dtype for an array of each element type (bf16 as its bit pattern)."""


NAMED = {
    "bfloat16": DType.bf16,
    "float8_e4m3fn": DType.f8e4m3fn,
    "float8_e4m3fnuz": DType.f8e4m3fnuz,
    "float8_e5m2": DType.f8e5m2,
    "float8_e5m2fnuz": DType.f8e5m2fnuz,
    "float8_e8m0fnu": DType.f8e8m0,
    "float4_e2m1fn": DType.f4e2m1,
    "int4": DType.i4,
    "uint4": DType.u4,
    "int2": DType.i2,
    "uint2": DType.u2,
}
"""Element types that numpy itself lacks, by the names that the package ml_dtypes gives them."""


def in_numpy(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return an array of ml_dtypes' elements of type `dtype` in numpy's own (bf16 as float32); any other unchanged."""
    if NAMED.get(array.dtype.name) is not dtype:
        return array
    return array.astype(np.float32 if dtype is DType.bf16 else NUMPY[dtype])


def bf16_to_float32(bits: np.ndarray) -> np.ndarray:
    """Convert bf16 bit patterns (uint16) to float32; exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def float32_to_bf16(x: np.ndarray) -> np.ndarray:
    """Convert float32 to bf16 bit patterns (uint16), round to nearest even; NaN stays NaN."""
    bits = np.asarray(x, np.float32, order="C").view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), rounded)


def kept_finite(x: np.ndarray, dtype: DType) -> np.ndarray:
    """Replace finite float32 numbers beyond the range of `dtype` by the largest that `dtype` holds."""
    if dtype is DType.f32 or x.dtype.kind != "f" or not x.size:
        return x
    largest = np.float32(LARGEST[DType.bf16])
    beyond = np.abs(x) > largest
    if not beyond.any():
        return x
    return np.where(beyond & np.isfinite(x), np.copysign(largest, x), x)


@dataclass(frozen=True)
class Weight:
    """A weight's type and its reader; `read` is None when there is no data (fake or meta tensors)."""

    type: TensorType
    read: Callable[[], np.ndarray] | None = None


class Weights(Mapping[str, Weight]):
    """An immutable mapping of references to weights."""

    def __init__(self, items: Mapping[str, Weight] | None = None):
        self._items = dict(items or {})

    def __getitem__(self, ref: str) -> Weight:
        return self._items[ref]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def only(self, refs: set[str]) -> Weights:
        return Weights({ref: weight for ref, weight in self._items.items() if ref in refs})

    def with_array(self, ref: str, type: TensorType, array: np.ndarray) -> Weights:
        return Weights({**self._items, ref: Weight(type, lambda: array)})

    @property
    def fake(self) -> bool:
        """Return whether any weight has no data."""
        return any(weight.read is None for weight in self._items.values())

    def read(self, ref: str) -> np.ndarray:
        """Return the data of one weight, in `NUMPY[dtype]`; InputError if the weight has no data."""
        weight = self._items.get(ref)
        if weight is None or weight.read is None:
            raise InputError(f"weight {ref!r} has no data: the model was compiled from fake weights; bind real ones")
        return weight.read()
