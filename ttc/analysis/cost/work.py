"""Work of one device program as the cost model sees it: tensors, cores and configuration, from a call or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from ttc.calls.call import MathFidelity
from ttc.calls.sizes import count_tiles, tile_bytes
from ttc.calls.target import ARCHITECTURES
from ttc.ir import Buffer, DType, Layout, Sharding


@dataclass(frozen=True)
class Card:
    """The chip that work runs on: architecture, usable cores as (columns, rows), banks of DRAM."""

    arch: str
    grid: tuple[int, int]
    dram_banks: int

    @property
    def cores(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def clock_hz(self) -> float:
        return ARCHITECTURES[self.arch].clock_hz

    @property
    def dram_bytes_per_second(self) -> float:
        return self.dram_banks * ARCHITECTURES[self.arch].dram_bank_bytes_per_second


@dataclass(frozen=True)
class Tensor:
    """A tensor as it is stored: `shape` padded, `logical` without padding."""

    shape: tuple[int, ...]
    logical: tuple[int, ...]
    dtype: DType
    layout: Layout
    buffer: Buffer
    sharding: Sharding

    @cached_property
    def tiles(self) -> int:
        """Count the 32 x 32 tiles that hold the tensor."""
        return count_tiles(self.shape)

    @property
    def tile_bytes(self) -> int:
        return tile_bytes(self.dtype)

    @cached_property
    def bytes(self) -> int:
        if self.layout is Layout.TILE:
            return self.tiles * self.tile_bytes
        return int(prod(self.shape) * self.dtype.bytes)

    @property
    def dram_bytes(self) -> int:
        """Return the bytes in DRAM: none of a tensor in L1."""
        return self.bytes if self.buffer is Buffer.DRAM else 0

    @property
    def rows(self) -> int:
        """Count the rows, each a page in ROW_MAJOR."""
        return prod(self.shape[:-1])

    @property
    def local(self) -> bool:
        """Return whether each core holds the part that the core works on."""
        return self.sharding is not Sharding.INTERLEAVED and self.buffer is Buffer.L1


@dataclass(frozen=True)
class Work:
    """One device program: the family of its formula, the op, its tensors, and what its configuration says.

    `cores` is 0 where nobody told how many cores work. `config` holds numbers and flags by name.
    """

    family: str
    op: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    cores: int = 0
    fidelity: MathFidelity = MathFidelity.HiFi4
    fp32: bool = False
    config: Mapping[str, float] = field(default_factory=dict)

    def get(self, name: str, default: float = 0) -> float:
        """Return a number of the configuration."""
        return self.config.get(name, default)
