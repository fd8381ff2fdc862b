"""ONNX tensors as weights: types, and readers that touch the data only when asked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor

from ttc.errors import InputError, Refusal
from ttc.ir import DType, TensorType, Weight
from ttc.ir.weights import NUMPY
from ttc.ops.constant import LITERAL_LIMIT
from ttc.ops.folding import FOLD_LIMIT
from ttc.ops.torch_types import HELD, tensor_of

DTYPES: dict[int, DType] = {
    TensorProto.FLOAT: DType.f32,
    TensorProto.DOUBLE: DType.f64,
    TensorProto.FLOAT16: DType.f16,
    TensorProto.BFLOAT16: DType.bf16,
    TensorProto.INT64: DType.i64,
    TensorProto.INT32: DType.i32,
    TensorProto.INT16: DType.i16,
    TensorProto.INT8: DType.i8,
    TensorProto.UINT64: DType.u64,
    TensorProto.UINT32: DType.u32,
    TensorProto.UINT16: DType.u16,
    TensorProto.UINT8: DType.u8,
    TensorProto.BOOL: DType.bool,
    TensorProto.COMPLEX64: DType.c64,
    TensorProto.INT4: DType.i4,
    TensorProto.UINT4: DType.u4,
    TensorProto.INT2: DType.i2,
    TensorProto.UINT2: DType.u2,
    TensorProto.FLOAT8E4M3FN: DType.f8e4m3fn,
    TensorProto.FLOAT8E4M3FNUZ: DType.f8e4m3fnuz,
    TensorProto.FLOAT8E5M2: DType.f8e5m2,
    TensorProto.FLOAT8E5M2FNUZ: DType.f8e5m2fnuz,
    TensorProto.FLOAT8E8M0: DType.f8e8m0,
    TensorProto.FLOAT4E2M1: DType.f4e2m1,
}
ONNX_TYPES = {dtype: number for number, dtype in DTYPES.items()}


def dtype_of(number: int) -> DType:
    """Return our dtype for an ONNX element type; Refusal if there is none (strings, complex128)."""
    if number not in DTYPES:
        known = number in TensorProto.DataType.values()
        name = TensorProto.DataType.Name(number) if known else f"number {number}"
        raise Refusal(f"the element type {name} is not supported")
    return DTYPES[number]


def type_of(tensor: TensorProto) -> TensorType:
    return TensorType(dtype_of(tensor.data_type), tuple(tensor.dims))


@dataclass(frozen=True)
class Store:
    """The places of a model's external data: its folder, and the folder that a link to the model points to.

    `given` is the file as the user wrote it; None for a model without a file. `external` are the files located so far.
    """

    given: Path | None
    external: set[Path] = field(default_factory=set, compare=False)
    _resolved: dict[str, Path] = field(default_factory=dict, compare=False)

    @property
    def files(self) -> set[Path]:
        """Return the model's file and those of the external data that has been located."""
        return self.external | ({self.given} if self.given else set())

    def locate(self, tensor: TensorProto, type: TensorType) -> tuple[Path, int]:
        """Find file and offset of a tensor's external data, checked; InputError that names the tensor and the file."""
        fields = {entry.key: entry.value for entry in tensor.external_data}
        location = fields.get("location", "")
        who = f"the data of {tensor.name!r}"
        if self.given is None:
            raise InputError(f"{who} is in the file {location!r}: give the model's path instead of a ModelProto")
        path = self._resolved.get(location) or self._resolve(location, who)
        if not path.is_file():
            found = "is no regular file" if path.exists() else "does not exist"  # but a folder, a pipe or a device
            raise InputError(f"{who} should be in {str(path)!r}, which {found}")
        try:
            offset, length = int(fields.get("offset", 0)), int(fields.get("length", type.bytes))
        except ValueError:
            raise InputError(f"{who} has an offset or length that is no number") from None
        size = path.stat().st_size
        if length != type.bytes or offset < 0 or offset + length > size:
            found = f"{length} bytes at {offset} of {size} in {str(path)!r}"
            raise InputError(f"{who} should be {type.bytes} bytes, but the model points to {found}")
        self.external.add(path)
        return path, offset

    def _resolve(self, location: str, who: str) -> Path:
        assert self.given is not None
        folder = self.given.parent
        if "\0" in location:
            raise InputError(f"{who} is said to be in {location!r}, which no file can be called")
        path = folder / location
        roots = {os.path.realpath(folder), os.path.dirname(os.path.realpath(self.given))}
        inside = os.path.realpath(os.path.dirname(os.path.abspath(path)))
        leaves = ".." in Path(location).parts or os.path.isabs(location) or not location
        real = os.path.realpath(path)
        contained = any(os.path.commonpath([root, real]) == root for root in roots)
        if leaves or not contained or not any(os.path.commonpath([root, inside]) == root for root in roots):
            raise InputError(f"{who} is said to be in {location!r}, which is outside the model's folder")
        self._resolved[location] = path
        return path


def weight(tensor: TensorProto, store: Store) -> Weight:
    """Return a tensor as a weight that reads its data when asked (external data through a memory map).

    InputError if the data is missing, too short or out of the model's folder.
    """
    type = type_of(tensor)
    if any(size < 0 for size in type.shape):
        raise InputError(f"the tensor {tensor.name!r} has a negative size: {list(type.shape)}")
    if type.dtype in HELD:
        return Weight(type, lambda: _typed(tensor, type))
    if tensor.data_location == TensorProto.EXTERNAL:
        return Weight(type, _external_reader(type, *store.locate(tensor, type)))
    if tensor.HasField("raw_data"):
        return Weight(type, lambda: _raw(tensor, type))
    return Weight(type, lambda: _typed(tensor, type))


def _external_reader(type: TensorType, path: Path, offset: int) -> Callable[[], np.ndarray]:
    if not type.numel:
        return lambda: np.zeros(type.shape, NUMPY[type.dtype])
    return lambda: np.memmap(path, NUMPY[type.dtype], "r", offset, type.shape)


def _raw(tensor: TensorProto, type: TensorType) -> np.ndarray:
    data = tensor.raw_data
    if len(data) != type.bytes:
        raise InputError(f"the tensor {tensor.name!r} holds {len(data)} bytes, but its type {type} needs {type.bytes}")
    return np.frombuffer(data, NUMPY[type.dtype]).reshape(type.shape)


def _typed(tensor: TensorProto, type: TensorType) -> np.ndarray:
    try:
        array = numpy_helper.to_array(tensor)
    except ValueError:
        raise InputError(f"the tensor {tensor.name!r} does not hold the elements of its type {type}") from None
    return array.view(NUMPY[type.dtype]) if type.dtype is DType.bf16 else array.astype(NUMPY[type.dtype], copy=False)


def is_literal(type: TensorType) -> bool:
    """Return whether a constant of this type is part of the program rather than a weight.

    Integers and booleans are (shapes, axes, indices, masks: up to 1 MB; bytes, in which trained weights may
    be quantised, up to 64 elements), and single floating numbers (epsilons, scales). All else is a weight,
    so that programs do not depend on trained data.
    """
    if type.dtype in (DType.i64, DType.i32, DType.bool):
        return type.bytes <= FOLD_LIMIT
    return type.numel == 1 or (not type.dtype.is_float and math.prod(type.shape) <= LITERAL_LIMIT)


def tensor_data(weight: Weight) -> Tensor:
    """Return a weight's data as a torch tensor."""
    assert weight.read is not None
    array = weight.read()
    data = tensor_of(np.ascontiguousarray(array), weight.type.dtype)
    return data.reshape(weight.type.shape).clone() if data.numel() else torch.empty(weight.type.shape, dtype=data.dtype)
