"""Arrays from .npz and .npy files, and to .npz files: strangers' files, whose sizes are checked before all else."""

from __future__ import annotations

import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ttc.errors import InputError
from ttc.guard.files import open_file, writing

NPY = b"\x93NUMPY"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, SyntaxError, RuntimeError, OverflowError, MemoryError,
    NotImplementedError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""Errors of the readers of archives and of array headers for files that are damaged or made up."""


def read_inputs(path: Path, room: int) -> dict[str, np.ndarray] | np.ndarray:
    """Read the arrays of a .npz file by name, or the array of a .npy file, in this machine's byte order.

    InputError, with the file's name, if the file is neither, holds other data than numbers, or more than `room`
    bytes.
    """
    with open_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers in old forms
        try:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if file.read(len(NPY)) != NPY:
                with zipfile.ZipFile(file) as archive:
                    return _arrays(archive, room)
            _check_room(size, room)
            file.seek(0)
            return _array("the array", file, size)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except DAMAGE as error:
            raise InputError(f"{path}: no readable .npz or .npy file ({type(error).__name__})") from None


def _check_room(size: int, room: int) -> None:
    if size > room:
        raise InputError(f"it holds {size:,} bytes, far more than the program takes")


def _arrays(archive: zipfile.ZipFile, room: int) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    _check_room(sum(info.file_size for info in archive.infolist()), room)
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or info.flag_bits & 1:
            raise InputError(f"{info.filename!r} in it is {'encrypted' if info.flag_bits & 1 else 'no array'}")
        if name in found:
            raise InputError(f"it holds {name!r} twice")
        with archive.open(info) as member:
            found[name] = _array(repr(name), member, info.file_size)
    return found


def _array(name: str, member: Any, size: int) -> np.ndarray:
    """Read one array of `size` bytes, its header included."""
    version = np.lib.format.read_magic(member)
    if version not in HEADERS:
        raise InputError(f"{name} in it holds records, not numbers")
    shape, fortran, dtype = HEADERS[version](member)
    if dtype.hasobject or dtype.names or dtype.subdtype or dtype.kind not in "biufcV":
        raise InputError(f"{name} in it holds {dtype}, not numbers")
    wanted = prod(shape) * dtype.itemsize
    if any(type(n) is not int or n < 0 for n in shape) or wanted != size - member.tell():
        raise InputError(f"{name} in it is said to be {dtype}{list(shape)}, which is not what follows")
    array = np.empty(prod(shape), dtype)
    _fill(array.view(np.uint8), member)
    return array.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="), copy=False)


def _fill(places: np.ndarray, member: BinaryIO) -> None:
    done = 0
    while count := member.readinto(memoryview(places)[done:]):  # type: ignore[attr-defined]
        done += count
    if done < places.size or member.read(1):  # reading to the end makes the archive compare its checksum
        raise EOFError


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a .npz file whole or not at all; InputError if it cannot be written, or for an impossible name."""
    for name in arrays:
        if "\0" in name or not name.isprintable():
            raise InputError(f"the output {name!r} has no name that a .npz file can hold")
    with writing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
