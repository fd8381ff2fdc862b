"""Refusals of parts that torch would run."""

from __future__ import annotations

from ttc.errors import InputError


def unsafe(reason: str) -> InputError:
    """Return the error for a part that could run code, with the way in which a user may allow it."""
    return InputError(f"{reason}. Only for a file of your own: --trust (trust=True) lets torch run what it holds")
