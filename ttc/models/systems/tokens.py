"""Tokens of a text: whole numbers that a user writes, or a package's tokenizer makes where its files are local."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from ttc.errors import InputError, first_line, require
from ttc.guard.files import as_path

WRITTEN = re.compile(r"\d{1,9}")


def read_tokens(written: str) -> list[int]:
    """Read whole numbers with spaces or commas between; InputError for anything else, and for none."""
    words = written.replace(",", " ").split()
    wrong = next((word for word in words if not WRITTEN.fullmatch(word)), None)
    if wrong is not None:
        raise InputError(f"tokens are whole numbers with spaces or commas between, got {wrong!r}")
    return [int(word) for word in words]


def tokens_of(text: str, folder: str | PathLike[str], marks: bool) -> list[int]:
    """Return the tokens of a text by the tokenizer of a folder, as transformers reads it.

    `marks` adds the tokens that the tokenizer puts at the ends. InputError for an empty text and for a folder without a
    tokenizer. Nothing is downloaded.
    """
    if not text.strip():
        raise InputError("the text is empty: there is nothing to speak")
    path = as_path(folder)
    if not path.is_dir():
        raise InputError(f"{path} is no folder of a tokenizer")
    require("making tokens of a text", ("transformers",), "models")
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        return list(tokenizer(text, add_special_tokens=marks)["input_ids"])
    except Exception as error:  # whatever the files, or a package that the tokenizer lacks, make transformers raise
        raise InputError(f"{path} holds no tokenizer that can be read: {first_line(error)}") from None


def with_tokens(system: str, options: Mapping[str, Any], marks: bool = True) -> dict[str, Any]:
    """Return options in which tokens are numbers, made of a text where one is given.

    InputError for a text and tokens, for a text without a tokenizer, and for a tokenizer without a text.
    """
    text, found = written_or_spoken(system, options, "tokens")
    folder = found.pop("tokenizer", None)
    if (text is None) != (folder is None):
        raise InputError("--text needs --tokenizer DIR" if folder is None else "--tokenizer is for --text alone")
    if text is not None and folder is not None:
        found["tokens"] = tokens_of(text, folder, marks)
    elif "tokens" in found:
        found["tokens"] = read_tokens(found["tokens"])
    return found


def written_or_spoken(system: str, options: Mapping[str, Any], spoken: str) -> tuple[str | None, dict[str, Any]]:
    """Return the text, None without one, and the other options; InputError for a text beside the option `spoken`."""
    found = dict(options)
    text = found.pop("text", None)
    if text is not None and spoken in found:
        raise InputError(f"{system} speaks --text or --{spoken}, not both")
    return text, found


def token_array(tokens: Sequence[int], vocabulary: int, most: int) -> np.ndarray:
    """Return tokens as i64[1, T]; InputError for none, unknown ones, and more than `most`."""
    if not len(tokens):
        raise InputError("there are no tokens to speak")
    if len(tokens) > most:
        raise InputError(f"the text has {len(tokens)} tokens; {most} are the most")
    numbers = np.asarray(tokens)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise InputError(f"tokens are a line of whole numbers, got {numbers.dtype} of shape {list(numbers.shape)}")
    require_known(numbers, vocabulary)
    return numbers.astype(np.int64)[None]


def require_known(numbers: np.ndarray, vocabulary: int | None) -> None:
    """Require tokens of a vocabulary, None where there is none; InputError that names the first other one."""
    if vocabulary is None:
        return
    unknown = numbers[(numbers < 0) | (numbers >= vocabulary)]
    if unknown.size:
        raise InputError(f"there is no token {unknown[0]}: tokens are 0 to {vocabulary - 1}")
