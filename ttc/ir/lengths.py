"""Length expressions: the size of the valid part of a dimension, as a function of named lengths (symbolic dimensions).

    T    10*T + 2    (T + 1)//2    2*((T + 1)//2)    S + T

Expressions are integers in one normal form, so that equal expressions compare equal: a sum of integer multiples of
atoms, where an atom is a name or a quotient rounded down. A length holds for one sample; in a batch each sample has
its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Quotient:
    """Integer quotient floor(of / by)."""

    of: Length
    by: int

    def __str__(self) -> str:
        inner = str(self.of)
        return f"({inner})//{self.by}" if " " in inner or "*" in inner else f"{inner}//{self.by}"


Atom = str | Quotient


@dataclass(frozen=True)
class Length:
    """The sum of `terms` (atoms and their factors, none zero, in order of their text) and a constant."""

    terms: tuple[tuple[Atom, int], ...]
    constant: int = 0

    @staticmethod
    def named(name: str) -> Length:
        """Return the named length itself."""
        return Length(((name, 1),))

    @staticmethod
    def number(number: int) -> Length:
        """Return a constant length."""
        return Length((), number)

    @property
    def names(self) -> frozenset[str]:
        """Return the named lengths in the expression."""
        parts = (atom.of.names if isinstance(atom, Quotient) else frozenset((atom,)) for atom, _ in self.terms)
        return frozenset().union(*parts)

    @property
    def grows_from_zero(self) -> bool:
        """Return whether the expression is plainly never negative: 0 or more for lengths of 1, and none subtracted."""
        ones = dict.fromkeys(self.names, 1)
        return self.at(ones) >= 0 and all(
            factor > 0 and (isinstance(atom, str) or atom.of.grows_from_zero) for atom, factor in self.terms
        )

    def at(self, sizes: Mapping[str, int]) -> int:
        """Evaluate the expression for these named lengths."""
        total = self.constant
        for atom, factor in self.terms:
            total += factor * (atom.of.at(sizes) // atom.by if isinstance(atom, Quotient) else sizes[atom])
        return total

    def __add__(self, other: Length | int) -> Length:
        if isinstance(other, int):
            return Length(self.terms, self.constant + other)
        factors = dict(self.terms)
        for atom, factor in other.terms:
            factors[atom] = factors.get(atom, 0) + factor
        return Length(_ordered(factors), self.constant + other.constant)

    def __sub__(self, other: Length | int) -> Length:
        return self + (-other if isinstance(other, int) else other * -1)

    def __mul__(self, factor: int) -> Length:
        if factor == 0:
            return Length.number(0)
        return Length(tuple((atom, own * factor) for atom, own in self.terms), self.constant * factor)

    def __floordiv__(self, by: int) -> Length:
        """Divide, rounded down: multiples of `by` divide exactly, and a quotient of a quotient is one quotient."""
        if by == 1 or not self.terms:
            return self if by == 1 else Length.number(self.constant // by)
        if len(self.terms) == 1 and isinstance(self.terms[0][0], Quotient) and self.terms[0][1] == 1:
            inner = self.terms[0][0]
            return (inner.of + self.constant * inner.by) // (by * inner.by)
        whole = tuple((atom, factor // by) for atom, factor in self.terms if factor % by == 0)
        rest = tuple((atom, factor) for atom, factor in self.terms if factor % by)
        outside = Length(whole, self.constant // by)
        if not rest:
            return outside
        return outside + Length(((Quotient(Length(rest, self.constant % by), by), 1),))

    def __str__(self) -> str:
        parts = [str(atom) if factor == 1 else f"{factor}*{_grouped(atom)}" for atom, factor in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


def _ordered(factors: Mapping[Atom, int]) -> tuple[tuple[Atom, int], ...]:
    return tuple(sorted(((atom, factor) for atom, factor in factors.items() if factor), key=lambda term: str(term[0])))


def _grouped(atom: Atom) -> str:
    return f"({atom})" if isinstance(atom, Quotient) else atom


@dataclass(frozen=True)
class Extent:
    """Valid part of an input or output: a length for each dimension (None: all of it), and the batch dimension."""

    lengths: tuple[Length | None, ...]
    sample: int | None = None


def to_json(length: Length) -> Any:
    """Return a length as lists, numbers and strings."""
    terms = [
        [[to_json(atom.of), atom.by] if isinstance(atom, Quotient) else atom, factor] for atom, factor in length.terms
    ]
    return [terms, length.constant]


def from_json(item: Any) -> Length:
    """Read the result of `to_json`; ValueError or TypeError for anything else."""
    terms, constant = item
    total = Length.number(_whole(constant))
    for atom, factor in terms:
        if isinstance(atom, str):
            total += Length.named(atom) * _whole(factor)
        else:
            of, by = atom
            if _whole(by) < 1:
                raise ValueError(f"a length is divided by {by}")
            total += (from_json(of) // by) * _whole(factor)
    return total


def _whole(number: Any) -> int:
    if type(number) is not int:
        raise ValueError(f"{number!r} is not an integer")
    return number


def same(a: Length, b: Length, limits: Mapping[str, int], steps: Mapping[str, int] | None = None) -> bool:
    """Return whether two lengths are equal for all named lengths up to their limits; of several names, as written.

    The named lengths are multiples of `steps`, 1 by default.
    """
    if a == b:
        return True
    names = a.names | b.names
    if len(names) > 1:
        return False
    limit = max((limits[name] for name in names), default=1)
    step = max(((steps or {}).get(name, 1) for name in names), default=1)
    return all(a.at(sizes) == b.at(sizes) for sizes in (dict.fromkeys(names, n) for n in range(step, limit + 1, step)))


def size_words(sizes: Mapping[str, int]) -> str:
    """Print the sizes of lengths as users write them: `T=64, S=16`."""
    return ", ".join(f"{name}={size}" for name, size in sizes.items())
