"""The cards: the numbers of each target that calls, planning and checks need."""

from __future__ import annotations

from dataclasses import dataclass

from ttc.errors import InputError


@dataclass(frozen=True)
class Architecture:
    """The numbers that all chips of one architecture share: rates in bytes and cycles per second.

    `circular_buffer_end` is the size of a core's L1, to which circular buffers may grow. `integers` are the
    lowest and the largest 32-bit integer that the vector unit computes with. Rows in DRAM begin at multiples of
    `dram_alignment` bytes.
    """

    circular_buffer_end: int
    dram_bank_bytes_per_second: float
    clock_hz: float
    integers: tuple[int, int]
    dram_alignment: int


ARCHITECTURES = {
    # docs.tenstorrent.com/aibs/wormhole/specifications.html: 288 GB/s over 12 banks of a chip, AI clock 1 GHz.
    # tt-metal issue 44750: its vector unit holds integers as sign and magnitude; the largest are patterns of NaNs, and
    # -2^31 is a 0
    "wormhole_b0": Architecture(1_499_136, 24e9, 1.0e9, (-0x7F7FFFFF, 0x7F7FFFFF), 32),
    # docs.tenstorrent.com/aibs/blackhole/specifications.html: 512 GB/s over the p150's 8 banks, 448 over the p100's 7
    "blackhole": Architecture(1_572_864, 64e9, 1.35e9, (-0x80000000, 0x7FFFFFFF), 64),
}


@dataclass(frozen=True)
class Target:
    """One chip of a card as a program sees it: what `ttc target` measures on an opened card.

    `l1_bytes` is the part of each core's L1 that buffers may take; circular buffers grow from the bottom and may end
    at `circular_buffer_end`. `grid` is (columns, rows).
    """

    name: str
    summary: str
    arch: str
    grid: tuple[int, int]
    l1_bytes: int
    dram_banks: int
    dram_bank_bytes: int

    @property
    def cores(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def dram_bytes(self) -> int:
        return self.dram_banks * self.dram_bank_bytes

    @property
    def circular_buffer_end(self) -> int:
        return ARCHITECTURES[self.arch].circular_buffer_end

    @property
    def dram_bytes_per_second(self) -> float:
        return self.dram_banks * ARCHITECTURES[self.arch].dram_bank_bytes_per_second

    @property
    def dram_alignment(self) -> int:
        return ARCHITECTURES[self.arch].dram_alignment

    @property
    def clock_hz(self) -> float:
        return ARCHITECTURES[self.arch].clock_hz


L1_SMALL_BYTES = 32768
"""Bytes that a device sets aside at the top of each core's L1 for the index tables of convolutions and pools."""

L1_ALIGNMENT = 16
"""Bytes that rows in L1 begin at multiples of."""

TARGETS = {
    target.name: target
    for target in (
        Target("n150", "Wormhole n150", "wormhole_b0", (8, 8), 1_393_312, 12, 1_072_693_184),
        Target("n300", "one chip of a Wormhole n300", "wormhole_b0", (8, 8), 1_393_312, 12, 1_072_693_184),
        Target("p150", "Blackhole p150", "blackhole", (11, 10), 1_461_120, 8, 4_277_141_376),
        Target("p100", "Blackhole p100", "blackhole", (11, 10), 1_461_120, 7, 4_277_141_376),
    )
}
"""The cards that programs are compiled for, by name; an n300 has two chips, and a program runs on one of them."""

PLANNED = ("t3000", "galaxy")
"""Known cards that ttc does not support yet."""


def target_named(name: str) -> Target:
    """Return the target called `name`; InputError with the known names otherwise."""
    if isinstance(name, str) and name in TARGETS:
        return TARGETS[name]
    known = ", ".join(TARGETS)
    if name in PLANNED:
        raise InputError(f"target {name!r} is not supported yet; supported are {known}")
    raise InputError(f"no target is called {name!r}; supported are {known}")
