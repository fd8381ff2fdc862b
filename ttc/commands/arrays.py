"""Arrays from and to .npz files, and random ones that a program can run with."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ttc.calls.call import Call
from ttc.calls.index import Embedding
from ttc.errors import InputError, TtcError
from ttc.ir import Input, TensorType
from ttc.ir.random import random_kind
from ttc.runtime.buckets import Bucket
from ttc.runtime.convert import user_dtype
from ttc.runtime.program import Program


def read_inputs(path: Path) -> dict[str, np.ndarray] | np.ndarray:
    """The arrays of a .npz file by name, or that of a .npy file; InputError if it is neither, or has Python objects."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path}: no readable .npz or .npy file ({type(error).__name__})") from None


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a .npz file whole or not at all."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type] (numpy's stub takes a name for allow_pickle)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TtcError(f"{path}: cannot be written ({error.strerror})") from None


def random_inputs(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    """Seeded inputs that fit the signature: normal floats, coin flips, integers that stay within their tables.

    What the model itself draws at random is left to the session.
    """
    generator = np.random.default_rng(seed)
    limits = index_limits(program)
    asked = ((name, type) for name, type in program.inputs if random_kind(name) is None)
    return {name: _random(type, limits.get(name, 2), generator) for name, type in asked}


def random_bucket_inputs(bucket: Bucket, seed: int = 0) -> dict[str, np.ndarray]:
    """As `random_inputs`, somewhat shorter than the bucket: for one that is filled up shows nothing of its padding."""
    generator = np.random.default_rng(seed)
    limits = index_limits(bucket.program)
    lengths = {name: np.array([_shorter(size, bucket.multiples[name])]) for name, size in bucket.sizes.items()}
    asked = (name for name in bucket.inputs if random_kind(name) is None)
    return {name: _random(bucket.true_type(name, lengths), limits.get(name, 2), generator) for name in asked}


def _shorter(size: int, multiple: int) -> int:
    """About seven eighths of a size."""
    return max(size * 7 // 8 // multiple * multiple, multiple)


def _random(type: TensorType, limit: int, generator: np.random.Generator) -> np.ndarray:
    dtype = user_dtype(type)
    if dtype.kind == "b":
        return generator.random(type.shape) < 0.5
    if dtype.kind in "iu":
        return generator.integers(0, limit, type.shape).astype(dtype)
    return generator.standard_normal(type.shape).astype(dtype)


def index_limits(program: Program) -> dict[str, int]:
    """How many rows the smallest table has that an input, perhaps cast or reshaped, looks up."""
    limits: dict[str, int] = {}
    for node in program.graph.nodes:
        if not isinstance(node.op, Embedding):
            continue
        source = node.op.input_tensor
        while isinstance(source.op, Call):
            source = source.op.operands()[0]
        if isinstance(source.op, Input):
            rows = node.op.weight.shape[-2]
            limits[source.op.name] = min(rows, limits.get(source.op.name, rows))
    return limits
