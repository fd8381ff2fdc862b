"""What a row of a published table becomes: the work, the card, the time, and how that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.cost_model.shapes import UnknownRow
from ttc.analysis.cost.work import Card, Work

Clock = Literal["kernel", "traced", "eager"]
"""What a time holds: the kernel alone, the launch in a trace besides, or the host that starts each call."""


@dataclass(frozen=True)
class Timed:
    """A published time in microseconds, of a work on a card."""

    board: str
    family: str
    work: Work
    card: Card
    microseconds: float
    clock: Clock


CARDS = {
    "n150": ("wormhole_b0", (8, 8), 12),
    "n300": ("wormhole_b0", (8, 8), 12),
    "t3000": ("wormhole_b0", (8, 8), 12),
    "wormhole": ("wormhole_b0", (8, 8), 12),
    "p150": ("blackhole", (13, 10), 8),
    "p100": ("blackhole", (11, 10), 7),
    "blackhole": ("blackhole", (11, 10), 8),
}
"""Architecture, grid and DRAM banks by the word that a board's description begins with or holds."""


def card_named(board: str, grid: tuple[int, int] | None = None) -> Card:
    """Return the card of a board's description; UnknownRow where the description names none."""
    text = board.lower()
    for word, (arch, usual, banks) in CARDS.items():
        if word in text:
            return Card(arch, grid or usual, banks)
    raise UnknownRow(f"board {board!r} is not known")


def number(row: Mapping[str, str], name: str) -> float:
    """Return a positive number of a column; UnknownRow where the column holds none."""
    try:
        value = float(row[name])
    except ValueError:
        raise UnknownRow(f"{name} is not a number: {row[name]!r}") from None
    if not 0 < value < float("inf"):
        raise UnknownRow(f"{name} is not positive: {row[name]!r}")
    return value
