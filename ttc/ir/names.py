"""Names that no other thing has yet."""

from __future__ import annotations

from collections.abc import Container


def free_name(name: str, taken: Container[str], separator: str = "_", first: int = 2) -> str:
    """Return the name, or the name with the first number from `first` on that makes it one that is not taken."""
    free, number = name, first
    while free in taken:
        free, number = f"{name}{separator}{number}", number + 1
    return free
