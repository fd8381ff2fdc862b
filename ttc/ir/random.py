"""Names of inputs that a program draws at random where its user gives none."""

from __future__ import annotations

import re

NORMAL, UNIFORM = "normal", "uniform"
"""Kinds of random inputs: standard normal numbers, and uniform numbers in [0, 1)."""

_NAME = re.compile(rf"random\.({NORMAL}|{UNIFORM})\.\d+")


def random_name(kind: str, number: int) -> str:
    """Return the name of the `number`-th random input of a model: `random.normal.0`."""
    return f"random.{kind}.{number}"


def random_kind(name: str) -> str | None:
    """Return the kind drawn for an input of this name; None for inputs that users must give."""
    found = _NAME.fullmatch(name)
    return found[1] if found else None
