"""The safetensors format: a length, a JSON header, and tensors end to end.

Written here because a model may be larger than memory (the header is known before the first tensor is
computed) and read here because a program must load where there is nothing but numpy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from mmap import mmap
from typing import Any

import numpy as np

from ttc.errors import InputError
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
MAX_RANK = 64  # numpy's


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
    """Make a header for tensors of these types, widest elements first so that each is aligned."""
    entries: dict[str, Any] = {"__metadata__": metadata}
    position = 0
    for name, type in sorted(types.items(), key=lambda item: -item[1].dtype.bytes):
        end = position + type.bytes
        entries[name] = {"dtype": NAMES[type.dtype], "shape": list(type.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return read_header(len(text).to_bytes(LENGTH_BYTES, "little") + text)


def read_header(file: bytes | mmap) -> Header:
    """Read the header of a file; InputError in a few words if there is none."""
    size = int.from_bytes(file[:LENGTH_BYTES], "little")
    if len(file) < LENGTH_BYTES or not 2 <= size <= MAX_HEADER_BYTES:
        raise InputError("it is not in safetensors format")
    start = LENGTH_BYTES + size
    if len(file) < start:
        raise InputError("it is cut off")
    try:
        entries = read_json(file[LENGTH_BYTES:start])
        metadata = entries.pop("__metadata__", {})
        places = {name: _place(entry, start) for name, entry in entries.items()}
        if not all(isinstance(text, str) for text in metadata.values()):
            raise ValueError(metadata)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("its header is damaged") from None
    return Header(bytes(file[:start]), metadata, places)


def read_json(text: str | bytes) -> Any:
    """Parse a JSON text; ValueError if the text is no JSON, names a key twice, holds NaN, or is nested too deeply."""
    try:
        text = text if isinstance(text, str) else text.decode()
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def check_places(header: Header, size: int) -> None:
    """Require the tensors to lie end to end from the header to the end of a file of `size` bytes, else InputError."""
    end = len(header.content)
    for place in sorted(header.places.values(), key=lambda place: (place.start, place.end)):
        if place.start != end:
            raise InputError(f"its tensors {'overlap' if place.start < end else 'leave gaps'}")
        end = place.end
    if size != end:
        raise InputError("it is cut off" if size < end else "there is more after its last tensor")


def _place(entry: dict[str, Any], start: int) -> Place:
    dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if len(entry) != 3 or len(shape) > MAX_RANK or any(type(n) is not int or n < 0 for n in (*shape, first, last)):
        raise ValueError(entry)
    stored = TensorType(DTYPES[dtype], tuple(shape))
    if last - first != stored.bytes:
        raise ValueError(entry)
    return Place(stored, start + first, start + last)


def array_at(file: bytes | mmap, place: Place) -> np.ndarray:
    """Read a tensor of a mapped file without a copy (bf16 as bit patterns)."""
    count = prod(place.type.shape)
    if not count:
        return np.zeros(place.type.shape, NUMPY[place.type.dtype])
    return np.frombuffer(file, NUMPY[place.type.dtype], count, place.start).reshape(place.type.shape)
