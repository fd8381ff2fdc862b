"""The names of inputs that a program draws at random where its user gives none."""

from __future__ import annotations

import re

NORMAL, UNIFORM = "normal", "uniform"
"""Standard normal numbers, and numbers from 0 up to 1."""

_NAME = re.compile(rf"random\.({NORMAL}|{UNIFORM})\.\d+")


def random_name(kind: str, number: int) -> str:
    """The name of the `number`-th random input of a model: `random.normal.0`."""
    return f"random.{kind}.{number}"


def random_kind(name: str) -> str | None:
    """What is drawn for an input of this name; None for inputs that users must give."""
    found = _NAME.fullmatch(name)
    return found[1] if found else None
