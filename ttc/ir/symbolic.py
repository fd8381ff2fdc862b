"""Symbolic sizes: numbers that know which length they are, so that a type rule that computes sizes computes lengths.

A graph is read at one size of each named length. Where its dimensions are `SymbolicSize`s, an op's `infer` gives the
result's size there and its length expression in one: the type rule of a convolution makes (T + 1)//2 of T.
"""

from __future__ import annotations

from math import prod

from ttc.ir.lengths import Length


class SymbolicSize(int):
    """A size that follows lengths: its number where the graph was read, and the `length` that it is everywhere.

    `parts` are the sizes, outermost first, that a reshape has merged into one dimension; a size that is not merged is
    its own only part. `length` is None of a product of several lengths, and of a size that nothing explains, which has
    no parts either. Equal to the plain number; what no length expression can say is computed as a plain number.
    """

    length: Length | None
    parts: tuple[int, ...]

    def __new__(cls, number: int, length: Length | None) -> SymbolicSize:
        new = super().__new__(cls, number)
        new.length, new.parts = length, (new,) if length else ()
        return new

    @property
    def explained(self) -> bool:
        """Tell whether it is known how the size follows lengths."""
        return bool(self.parts)

    def __add__(self, other: int) -> int:
        return _sized(int(self) + int(other), _sum(self, other))

    __radd__ = __add__

    def __neg__(self) -> int:
        return _sized(-int(self), self.length and self.length * -1)

    def __sub__(self, other: int) -> int:
        return self + -other

    def __rsub__(self, other: int) -> int:
        return -self + other

    def __mul__(self, other: int) -> int:
        known = self.length if not isinstance(other, SymbolicSize) else None
        return _sized(int(self) * int(other), known and known * int(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> int:
        known = self.length if not isinstance(other, SymbolicSize) else None
        return _sized(int(self) // int(other), known and known // int(other))


def _sized(number: int, length: Length | None) -> int:
    """Return a number that follows a length; a plain number where `length` has no terms."""
    return SymbolicSize(number, length) if length and length.terms else number


def _sum(a: int, b: int) -> Length | None:
    first, second = length_of(a), length_of(b)
    return None if first is None or second is None else first + second


def length_of(size: int) -> Length | None:
    """Give the length expression of a size, a constant one for a plain number; None if there is none."""
    return size.length if isinstance(size, SymbolicSize) else Length.number(size)


def parts_of(size: int) -> tuple[int, ...]:
    """Give the sizes that make up a dimension; none for a dimension of one position."""
    if isinstance(size, SymbolicSize):
        return size.parts
    return () if size == 1 else (size,)


def merged(parts: tuple[int, ...]) -> int:
    """Make one dimension of several, outermost first."""
    following = [part for part in parts if isinstance(part, SymbolicSize)]
    if not following or len(parts) == 1:
        return parts[0] if len(parts) == 1 else prod(parts)
    length = following[0].length if len(following) == 1 else None
    others = prod(part for part in parts if not isinstance(part, SymbolicSize))
    whole = SymbolicSize(prod(map(int, parts)), length and length * others)
    whole.parts = parts
    return whole


def plain(item: object) -> object:
    """Replace every symbolic size in an attribute by its number."""
    if isinstance(item, SymbolicSize):
        return int(item)
    if isinstance(item, tuple):
        return tuple(map(plain, item)) if any(plain(part) is not part for part in item) else item
    return item
