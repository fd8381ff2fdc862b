"""Names that no other thing has yet."""

from __future__ import annotations

from collections.abc import Container


def free_name(name: str, taken: Container[str], separator: str = "_", first: int = 2) -> str:
    """Return the name, or the name with the first number from `first` on that makes it one that is not taken."""
    free, number = name, first
    while free in taken:
        free, number = f"{name}{separator}{number}", number + 1
    return free


def take_name(name: str, taken: set[str], separator: str = "_", first: int = 2) -> str:
    """Return a name that is not taken, as `free_name` does, and take it."""
    free = free_name(name, taken, separator, first)
    taken.add(free)
    return free
