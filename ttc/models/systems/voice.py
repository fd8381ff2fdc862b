"""Voices from files: packs, of a style for each number of phonemes, and embeddings of speakers."""

from __future__ import annotations

from os import PathLike

import numpy as np

from ttc.errors import InputError, require
from ttc.guard.files import as_path, open_file
from ttc.guard.npz import read_inputs

LARGEST = 1 << 26
"""Bytes that a file of one voice may hold; a published one holds 522,240."""


def read_voice(path: str | PathLike[str]) -> np.ndarray:
    """Read a voice pack f32[N, 1, 2 S]; InputError for a file that holds none."""
    voice = read_array(path)
    if voice.ndim != 3 or voice.shape[1] != 1:
        raise InputError(f"{path} holds {list(voice.shape)}: a voice has finite numbers of shape [texts, 1, styles]")
    return voice


def read_embedding(path: str | PathLike[str]) -> np.ndarray:
    """Read the embedding of a speaker, f32[D], [1, D] or [1, D, 1]; InputError for a file that holds none."""
    voice = read_array(path)
    if voice.shape not in ((voice.size,), (1, voice.size), (1, voice.size, 1)):
        raise InputError(f"{path} holds {list(voice.shape)}: a speaker's embedding is one line of numbers")
    return voice


def read_array(path: str | PathLike[str]) -> np.ndarray:
    """Read the one array of finite numbers, f32, of a .npz, .npy, .safetensors, .pt or .pth file, as numbers alone.

    InputError for what holds none, or several.
    """
    file = as_path(path)
    if file.suffix in (".npz", ".npy"):
        found = read_inputs(file, LARGEST)
    elif file.suffix in (".safetensors", ".pt", ".pth"):
        require(f"reading {file}")
        from ttc.models.systems.checkpoint import read_stored

        found = read_stored(file)
    else:
        open_file(file).close()
        raise InputError(f"{file} is no voice: give a .npz, .npy, .safetensors, .pt or .pth file")
    if isinstance(found, dict):
        if len(found) != 1:
            raise InputError(f"{file} holds {len(found)} arrays: a voice is one")
        (found,) = found.values()
    try:
        voice = np.asarray(found, np.float32)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{file} holds no array of numbers") from None
    if not voice.size or not np.isfinite(voice).all():
        raise InputError(f"{file} holds {list(voice.shape)}: a voice has finite numbers, and some")
    return voice
