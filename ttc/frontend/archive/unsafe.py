"""What is refused because torch would run it."""

from __future__ import annotations

from ttc.errors import InputError


def unsafe(reason: str) -> InputError:
    """The error for what could run code, which says how a user may let it."""
    return InputError(f"{reason}. Only for a file of your own: --trust (trust=True) lets torch run what it holds")
