"""The fit of lengths to numbers that differ between the readings of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd

from ttc.errors import Refusal
from ttc.ir.lengths import Length, Quotient, same, size_words
from ttc.ir.symbolic import SymbolicSize

ROUNDED = 1e-6
"""The relative distance of a number of the model from the one that a length gives: float32's rounding, generously."""


LARGEST_QUOTIENT = 8
"""The largest divisor of a rounded quotient of a length that is fitted to sizes.

As many consecutive sizes tell all such quotients apart: with fewer sizes a quotient is `guessed`.
"""


@dataclass
class Fits:
    """The lengths that the model is known to have, from which new lengths are fitted."""

    sizes: Sequence[Mapping[str, int]]
    limits: Mapping[str, int]
    lengths: dict[Length, None] = field(default_factory=dict)
    guessed: bool = False

    def __post_init__(self):
        self.lengths.update((Length.named(name), None) for name in self.limits)
        self.multiples = {name: gcd(*(sizes[name] for sizes in self.sizes)) for name in self.limits}

    def add(self, length: Length) -> None:
        """Add a length that some value has."""
        self.lengths.setdefault(length)

    def size(self, numbers: Sequence[int]) -> int:
        """Give the size with these numbers in the readings: a symbolic size where the numbers differ."""
        return SymbolicSize(numbers[0], self.length(numbers)) if len(set(numbers)) > 1 else numbers[0]

    def length(self, numbers: Sequence[int]) -> Length:
        """Give the length with these numbers in the readings; Refusal if there is none, or more than one as simple."""
        found = self._distinct(self._affine(known, numbers, whole=True) for known in self.lengths)
        if not found:
            self.guessed = True
            found = self._distinct(self._rounded(numbers))
        elif any(isinstance(atom, Quotient) for atom, _ in found[0].terms):  # few sizes are on many such stairs
            self.guessed |= len(self._distinct([*found, *self._rounded(numbers)])) > 1
        if not found:
            raise Refusal(f"a size that is {_listed(numbers)} for {self._words()} follows no length that ttc knows")
        if len(found) > 1:
            self.guessed = True
            raise Refusal(f"a size that is {_listed(numbers)} for {self._words()} may be {found[0]} or {found[1]}")
        self.add(found[0])
        return found[0]

    def _distinct(self, candidates: Iterable[Length | None]) -> list[Length]:
        """List the candidates that differ from each other as lengths."""
        found: list[Length] = []
        for new in candidates:
            if new is not None and not any(same(new, other, self.limits, self.multiples) for other in found):
                found.append(new)
        return found

    def _rounded(self, numbers: Sequence[int]) -> Iterator[Length | None]:
        """Yield quotients of lengths, rounded down, that give these numbers."""
        yield from (self._affine(known, numbers, whole=False) for known in self.lengths)
        for name in self.limits:
            yield from self._quotients(Length.named(name), numbers)

    def _quotients(self, known: Length, numbers: Sequence[int]) -> Iterator[Length]:
        """Yield (known + a) // b + c, for b up to LARGEST_QUOTIENT, that give the numbers."""
        for by in range(2, LARGEST_QUOTIENT + 1):
            for shift in range(by):
                quotient = (known + shift) // by
                constant = numbers[0] - quotient.at(self.sizes[0])
                if all(
                    quotient.at(sizes) + constant == number for sizes, number in zip(self.sizes, numbers, strict=True)
                ):
                    yield quotient + constant

    def _affine(self, known: Length, numbers: Sequence[int], whole: bool) -> Length | None:
        """Solve for factor * known + constant (whole numbers, or a quotient rounded down) that gives the numbers."""
        own = [known.at(sizes) for sizes in self.sizes]
        line = _line(own, numbers)
        if line is None:
            return None
        factor, constant = line
        by = factor.denominator
        if whole != (by == 1) or by > LARGEST_QUOTIENT:
            return None
        if (constant * by).denominator != 1:
            return None
        new = (known * factor.numerator + int(constant * by)) // by
        return new if [new.at(sizes) for sizes in self.sizes] == list(numbers) else None

    def real(self, numbers: Sequence[float]) -> tuple[str, Length, int] | None:
        """Solve for (function, length, divisor) where the numbers are function(length / divisor); None if none is."""
        for name, inverse in INVERSES.items():
            try:
                whole = [inverse(number) for number in numbers]
            except (ZeroDivisionError, OverflowError):
                continue
            for divisor in (1, 2, 3, 4, 8, 16):
                rounded = [round(number * divisor) for number in whole]
                close = all(
                    abs(number * divisor - near) <= ROUNDED * max(abs(near), 1)
                    for number, near in zip(whole, rounded, strict=True)
                )
                if not close:
                    continue
                try:
                    return name, self.length(rounded), divisor
                except Refusal:
                    continue
        return None

    def _words(self) -> str:
        """Print the sizes of the readings."""
        return "; ".join(map(size_words, self.sizes))


INVERSES: dict[str, Callable[[float], float]] = {
    "": lambda x: x,
    "reciprocal": lambda x: 1 / x,
    "sqrt": lambda x: x * x,
    "rsqrt": lambda x: 1 / (x * x),
}
"""The inverse of each function that a model may apply to a length when it is read."""


def _line(xs: Sequence[int], ys: Sequence[int]) -> tuple[Fraction, Fraction] | None:
    """Solve for factor and constant of the line through the first two points that differ in x; None if all agree."""
    for x, y in zip(xs, ys, strict=True):
        if x != xs[0]:
            factor = Fraction(y - ys[0], x - xs[0])
            return factor, ys[0] - factor * xs[0]
    return None


def _listed(numbers: Sequence[int]) -> str:
    """Print numbers with commas between."""
    return ", ".join(map(str, numbers))
