"""The cards: the numbers of each target that calls, planning and checks need."""

from __future__ import annotations

from dataclasses import dataclass

from ttc.errors import InputError


@dataclass(frozen=True)
class Target:
    """One card as a program sees it.

    `l1_bytes` is the part of each core's L1 that buffers may take; circular buffers grow from the bottom and may end
    at `circular_buffer_end`. `grid` is (columns, rows). Rates are bytes and cycles per second.
    """

    name: str
    arch: str
    grid: tuple[int, int]
    l1_bytes: int
    circular_buffer_end: int
    dram_banks: int
    dram_bank_bytes: int
    dram_bytes_per_second: float
    clock_hz: float

    @property
    def cores(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def dram_bytes(self) -> int:
        return self.dram_banks * self.dram_bank_bytes


L1_SMALL_BYTES = 32768
"""Bytes that a device sets aside at the top of each core's L1 for the index tables of convolutions and pools."""

TARGETS = {
    "n150": Target("n150", "wormhole_b0", (8, 8), 1_393_312, 1_499_136, 12, 1_072_693_184, 288e9, 1.0e9),
    "p150": Target("p150", "blackhole", (11, 10), 1_461_120, 1_572_864, 8, 4_277_141_376, 512e9, 1.35e9),
}

PLANNED = ("n300", "t3000", "galaxy")
"""Known cards that ttc does not support yet."""


def target_named(name: str) -> Target:
    """Return the target called `name`; InputError with the known names otherwise."""
    if isinstance(name, str) and name in TARGETS:
        return TARGETS[name]
    known = ", ".join(TARGETS)
    if name in PLANNED:
        raise InputError(f"target {name!r} is not supported yet; supported are {known}")
    raise InputError(f"no target is called {name!r}; supported are {known}")
