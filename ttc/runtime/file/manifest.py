"""The reader of an artifact's manifest, which checks every field: a right checksum makes no field valid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ttc.calls.target import target_named
from ttc.errors import InputError
from ttc.ir import DType, TensorType
from ttc.ir.weights import NUMPY
from ttc.runtime.file.safetensors_file import MAX_RANK
from ttc.runtime.run.program import PROGRAM_DTYPES, Signature
from ttc.version import VERSION

FORMAT = 1

MOST_BUCKETS = 1024
"""Programs in one artifact: more than any that ttc writes."""


@dataclass(frozen=True)
class Manifest:
    """A manifest whose fields are of their kinds; each of `buckets` is still to be read."""

    target: str
    dtype: str
    inputs: Signature
    outputs: Signature
    has_weights: bool
    buckets: tuple[dict[str, Any], ...]


def read_manifest(fields: dict[str, Any]) -> Manifest:
    """Read the manifest of these fields; InputError names the one that is missing or wrong."""
    version = fields.get("format")
    if type(version) is not int or version != FORMAT:
        what = f"format {version}" if type(version) is int else "no format"
        raise InputError(f"it has {what}, this ttc ({VERSION}) reads format {FORMAT}; compile the model again")
    target, dtype, weights = (_word(fields, name) for name in ("target", "dtype", "weights"))
    if not re.fullmatch(r"[\w.+-]+", _word(fields, "ttc"), re.ASCII):
        raise InputError("its manifest does not say the version of ttc that wrote it")
    target_named(target)
    if dtype not in PROGRAM_DTYPES:
        raise InputError(f"its dtype is {dtype!r}, not one of {', '.join(PROGRAM_DTYPES)}")
    if weights not in ("present", "none"):
        raise InputError(f"its weights are {weights!r}, neither present nor none")
    buckets = fields.get("buckets", [])
    if not isinstance(buckets, list) or len(buckets) > MOST_BUCKETS or not all(isinstance(b, dict) for b in buckets):
        raise InputError("its buckets are no list of buckets")
    inputs, outputs = (read_signature(fields, side) for side in ("inputs", "outputs"))
    return Manifest(target, dtype, inputs, outputs, weights == "present", tuple(buckets))


def _word(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= 100 or not text.isprintable():
        raise InputError(f"its manifest does not say its {name}")
    return text


def read_signature(fields: dict[str, Any], side: str) -> Signature:
    """Read the names and the model's own types of one side; InputError for anything else."""
    entries = fields.get(side)
    if not isinstance(entries, list) or not all(isinstance(entry, list) and len(entry) == 3 for entry in entries):
        raise InputError(f"its manifest does not say its {side}")
    found = tuple((name, _type(name, dtype, shape)) for name, dtype, shape in entries)
    if len(dict(found)) != len(found):
        raise InputError(f"two of its {side} share a name")
    return found


def _type(name: Any, dtype: Any, shape: Any) -> TensorType:
    if not isinstance(name, str):
        raise InputError(f"its manifest names an input or output {str(name)[:50]}")
    if not isinstance(dtype, str) or DType.__members__.get(dtype) not in NUMPY:
        raise InputError(f"{name!r} is of the element type {str(dtype)[:50]!r}, which no model has")
    if not isinstance(shape, list) or len(shape) > MAX_RANK or any(type(n) is not int or n < 0 for n in shape):
        raise InputError(f"{name!r} has no shape that a tensor can have")
    return TensorType(DType[dtype], tuple(shape))
