"""Speaker prompts of Bark: semantic, coarse and fine tokens of a speaker's words, in a .npz file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from ttc.errors import InputError
from ttc.guard.files import as_path
from ttc.guard.npz import read_inputs
from ttc.models.systems.bark_tokens import Numbers, Voice

LARGEST = 1 << 24
"""Bytes that a prompt may hold; a published one holds 100,000."""


def read_bark_voice(path: str | PathLike[str], numbers: Numbers) -> Voice:
    """Read a speaker's prompt, without pickle; InputError names what is missing, of another shape, or no token."""
    file = as_path(path)
    found = read_inputs(file, LARGEST)
    if not isinstance(found, dict):
        raise InputError(f"{file} is no speaker's prompt: give a .npz file of {', '.join(_names())}")
    missing = [name for name in _names() if name not in found]
    if missing:
        raise InputError(f"{file} lacks {', '.join(missing)}: a speaker's prompt has {', '.join(_names())}")
    return Voice(
        _tokens(file, found, "semantic_prompt", None, numbers.semantic),
        _tokens(file, found, "coarse_prompt", numbers.coarse_codebooks, numbers.codebook),
        _tokens(file, found, "fine_prompt", numbers.codebooks, numbers.codebook),
    )


def _names() -> tuple[str, ...]:
    return tuple(f"{field}_prompt" for field in Voice._fields)


def _tokens(file: Path, found: dict[str, np.ndarray], name: str, codebooks: int | None, count: int) -> np.ndarray:
    """Return the tokens [N], or [codebooks, N], of a prompt as i64, each below `count`."""
    tokens, rows = found[name], () if codebooks is None else (codebooks,)
    wanted = f"[{', '.join(map(str, (*rows, 'N')))}]"
    if tokens.ndim != len(rows) + 1 or tokens.shape[:-1] != rows or not tokens.size:
        raise InputError(f"{file}: {name} has the shape {list(tokens.shape)}, a speaker's prompt has {wanted}")
    if tokens.dtype.kind not in "iu" or tokens.min() < 0 or tokens.max() >= count:
        raise InputError(f"{file}: {name} holds other than the tokens 0 to {count - 1}")
    return tokens.astype(np.int64)
