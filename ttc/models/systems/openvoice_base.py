"""Base speakers of OpenVoice: the symbols and speakers that the configuration of a published folder has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from ttc.errors import InputError
from ttc.guard.files import as_path, read_bytes

CONFIG = "config.json"


@dataclass(frozen=True)
class Base:
    """Symbols that tokens number, and speakers: the package's own counts, without names, where no folder tells them.

    `blanks` says that the model was trained with token 0 before, between and after symbols. `folder` also has the
    checkpoint.
    """

    symbols: int = 219
    speakers: int = 256
    numbers: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, int] = field(default_factory=dict)
    blanks: bool = True
    folder: Path | None = None

    def tokens(self, phonemes: str) -> list[int]:
        """Return the tokens of phonemes, with blanks where the model has them; InputError for unknown phonemes."""
        if not self.numbers:
            raise InputError("--phonemes needs --base DIR, whose config.json has the model's symbols")
        unknown = list(dict.fromkeys(symbol for symbol in phonemes if symbol not in self.numbers))
        if unknown:
            raise InputError(f"{self.folder} knows no symbol {', '.join(map(repr, unknown))}")
        found = [self.numbers[symbol] for symbol in phonemes]
        return [0, *(each for token in found for each in (token, 0))] if self.blanks and found else found

    def speaker(self, given: str) -> int:
        """Return the number of a speaker that is given by name or number; InputError for an unknown one."""
        if given in self.names:
            return self.names[given]
        if not (given.isascii() and given.isdigit()) or int(given[:9]) >= self.speakers or len(given) > 9:
            named = f", or {', '.join(self.names)}" if self.names else ""
            raise InputError(f"there is no speaker {given!r}: speakers are 0 to {self.speakers - 1}{named}")
        return int(given)


def read_base(folder: str | PathLike[str]) -> Base:
    """Read the configuration of a base speaker's folder; InputError for one that lacks symbols or speakers."""
    path = as_path(folder)
    file = path / CONFIG
    try:
        config = json.loads(read_bytes(file))
    except (ValueError, RecursionError):  # what is no UTF-8 is a ValueError, too
        raise InputError(f"{file} is no JSON") from None
    data = _part(file, config, "data", dict)
    symbols = _part(file, config, "symbols", list)
    names = config.get("speakers", {})
    count = _part(file, data, "n_speakers", int)
    if not symbols or not all(isinstance(symbol, str) for symbol in symbols):
        raise InputError(f"{file}: symbols are a list of texts, and some")
    if not 0 < count <= LARGEST or isinstance(count, bool):
        raise InputError(f"{file}: n_speakers is a number from 1 to {LARGEST:,}, got {count!r}")
    if not isinstance(names, dict) or not all(type(n) is int and 0 <= n < count for n in names.values()):
        raise InputError(f"{file}: speakers are names with numbers below n_speakers, {count}")
    numbers = {symbol: number for number, symbol in reversed([*enumerate(symbols)])}
    return Base(len(symbols), count, numbers, names, bool(data.get("add_blank", True)), path)


LARGEST = 1 << 16
"""Speakers that a configuration may have; published ones have up to 256."""


def _part(file: Path, within: Any, name: str, kind: type) -> Any:
    found = within.get(name) if isinstance(within, dict) else None
    if not isinstance(found, kind):
        raise InputError(f"{file} is no configuration of OpenVoice's base speakers: it has no {name}")
    return found
