"""Estimates: the seconds of a device program by the resource that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Estimate:
    """Seconds of one device program, by resource.

    What is in `serial` adds up; what is in `together` runs side by side, so that the slowest counts, and where
    several are nearly as slow, a little more than that: the norm of order `order`.
    """

    serial: Mapping[str, float]
    together: Mapping[str, float] = field(default_factory=dict)
    order: float = 8.0

    @property
    def seconds(self) -> float:
        """Return the predicted time."""
        return sum(self.serial.values()) + _norm(tuple(self.together.values()), self.order)

    @property
    def bound(self) -> str:
        """Return the resource that takes most of the time."""
        parts = {**self.serial, **self.together}
        return max(parts, key=parts.__getitem__)

    def attributed(self) -> dict[str, float]:
        """Return seconds by resource that add up to the time: of what runs side by side, the slowest takes all."""
        found = {resource: seconds for resource, seconds in self.serial.items() if seconds}
        if self.together:
            slowest = max(self.together, key=self.together.__getitem__)
            found[slowest] = found.get(slowest, 0.0) + _norm(tuple(self.together.values()), self.order)
        return found


def _norm(values: tuple[float, ...], order: float) -> float:
    """Return the norm of the values, scaled so that no power overflows."""
    largest = max(values, default=0.0)
    if not largest:
        return 0.0
    return largest * sum((value / largest) ** order for value in values) ** (1 / order)
