"""The safetensors format: a length, a JSON header, and tensors end to end.

Written here because a model may be larger than memory (the header is known before the first tensor is
computed) and read here because a program must load where there is nothing but numpy.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ttc.errors import InputError
from ttc.files import open_file
from ttc.ir import DType, TensorType
from ttc.ir.weights import NUMPY

NAMES = {
    DType.f64: "F64",
    DType.f32: "F32",
    DType.f16: "F16",
    DType.bf16: "BF16",
    DType.i64: "I64",
    DType.i32: "I32",
    DType.i16: "I16",
    DType.i8: "I8",
    DType.u64: "U64",
    DType.u32: "U32",
    DType.u16: "U16",
    DType.u8: "U8",
    DType.bool: "BOOL",
}
"""The format's name of each element type."""

DTYPES = {name: dtype for dtype, name in NAMES.items()}
LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the format's own limit


@dataclass(frozen=True)
class Place:
    """A tensor's type and where its bytes are, from the start of the file."""

    type: TensorType
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """The bytes before the first tensor, what they say of the file, and where each tensor is."""

    content: bytes
    metadata: dict[str, str]
    places: dict[str, Place]

    @property
    def file_bytes(self) -> int:
        return max((place.end for place in self.places.values()), default=len(self.content))


def make_header(metadata: dict[str, str], types: Mapping[str, TensorType]) -> Header:
    """A header for tensors of these types, widest elements first so that each is aligned."""
    entries: dict[str, Any] = {"__metadata__": metadata}
    position = 0
    for name, type in sorted(types.items(), key=lambda item: -item[1].dtype.bytes):
        end = position + type.bytes
        entries[name] = {"dtype": NAMES[type.dtype], "shape": list(type.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return read_header(len(text).to_bytes(LENGTH_BYTES, "little") + text)


def read_header(file: bytes | mmap.mmap) -> Header:
    """The header of a file; InputError in a few words if it is none."""
    size = int.from_bytes(file[:LENGTH_BYTES], "little")
    if len(file) < LENGTH_BYTES or not 2 <= size <= MAX_HEADER_BYTES:
        raise InputError("it is not in safetensors format")
    start = LENGTH_BYTES + size
    if len(file) < start:
        raise InputError("it is cut off")
    try:
        entries = json.loads(file[LENGTH_BYTES:start])
        metadata = {str(key): str(text) for key, text in entries.pop("__metadata__", {}).items()}
        places = {name: _place(entry, start) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("its header is damaged") from None
    return Header(bytes(file[:start]), metadata, places)


def _place(entry: dict[str, Any], start: int) -> Place:
    type = TensorType(DTYPES[entry["dtype"]], tuple(entry["shape"]))
    first, last = entry["data_offsets"]
    if not all(isinstance(n, int) and n >= 0 for n in (*type.shape, first, last)) or last - first != type.bytes:
        raise ValueError(entry)
    return Place(type, start + first, start + last)


def map_file(path: str | os.PathLike[str]) -> bytes | mmap.mmap:
    """The file's content, mapped so that only what is used is read; changes stay private. InputError as `open_file`."""
    with open_file(path) as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def array_at(file: bytes | mmap.mmap, place: Place) -> np.ndarray:
    """A tensor of a mapped file without a copy (bf16 as bit patterns)."""
    count = prod(place.type.shape)
    if not count:
        return np.zeros(place.type.shape, NUMPY[place.type.dtype])
    return np.frombuffer(file, NUMPY[place.type.dtype], count, place.start).reshape(place.type.shape)
