"""Permutations of dimensions: entry i is the dimension of the operand that the result's dimension i comes from."""

from __future__ import annotations

from collections.abc import Sequence


def to_last(dim: int, rank: int) -> tuple[int, ...]:
    """Return the permutation that brings `dim` to the end and keeps the order of the others."""
    return (*(other for other in range(rank) if other != dim), dim)


def inverse_of(order: Sequence[int]) -> tuple[int, ...]:
    """Return the permutation that undoes another."""
    return tuple(order.index(dim) for dim in range(len(order)))
