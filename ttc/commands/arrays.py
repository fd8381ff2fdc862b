"""Arrays from and to .npz files, and random ones that a program can run with."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ttc.errors import InputError, TtcError


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file; InputError if it is none, or holds Python objects."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path}: no readable .npz file ({type(error).__name__})") from None


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a .npz file whole or not at all."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TtcError(f"{path}: cannot be written ({error.strerror})") from None
