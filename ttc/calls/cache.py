"""Writing into caches that states keep on the device."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ttc.calls.call import Call, Workspace, accept, buffer_of, spec_of
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import (
    DRAM,
    TILE,
    Buffer,
    DType,
    Input,
    Layout,
    MemoryConfig,
    Sharding,
    ShardSpec,
    Spec,
    Value,
    round_up,
)

CACHED = frozenset({DType.bf16, DType.bfp8})
"""The dtypes of caches that rows are written into."""

SKIPPED = -1
"""The position at which nothing is written; at others beyond the cache, TTNN writes into whatever lies there."""


@dataclass(frozen=True)
class PagedUpdateCache(Call, name="ttnn.experimental.paged_update_cache"):
    """cache_tensor[b, :, update_idxs_tensor[b]] = input_tensor[0, b] for every b, in place; at -1 nothing.

    The cache is bf16 or bfp8 [B, H, S, D] in tiles in DRAM, H at most 32, and a program's input. The rows to write are
    [1, B, H, D], in L1, those of one b on a core (`shards`); the positions are i32 [B] in rows in DRAM.
    """

    moves: ClassVar[bool] = True
    effect: ClassVar[bool] = True
    cache_tensor: Value
    input_tensor: Value
    _: KW_ONLY
    update_idxs_tensor: Value

    def infer(self) -> Spec:
        cache, rows, places = map(spec_of, (self.cache_tensor, self.input_tensor, self.update_idxs_tensor))
        accept(self.cache_tensor, Layout.TILE, CACHED, "the cache")
        accept(self.input_tensor, Layout.TILE, frozenset({DType.bf16}), "the rows to write")
        accept(self.update_idxs_tensor, Layout.ROW_MAJOR, frozenset({DType.i32}), "the positions")
        if not isinstance(buffer_of(self.cache_tensor).op, Input):
            raise Refusal(f"%{self.cache_tensor.name} is written in place, and is no input")
        if cache.memory != DRAM or places.memory != DRAM:
            raise Refusal("the cache and the positions must be in DRAM")
        if cache.rank != 4 or cache.shape[1] > TILE:
            raise Refusal(f"a cache is [B, H, S, D] of at most {TILE} heads, got {list(cache.shape)}")
        batch, heads, _, width = cache.shape
        if rows.shape != (1, batch, heads, width) or places.shape != (batch,):
            raise Refusal(f"rows {list(rows.shape)} at {list(places.shape)} do not fit a cache {list(cache.shape)}")
        shard = rows.memory.shard
        if shard is None or rows.memory != shards(shard.grid, width) or shard.grid[0] * shard.grid[1] != batch:
            raise Refusal(f"the rows to write are in {rows.memory}; accepted are {batch} shards, each on its core")
        return cache

    def alias(self) -> Value | None:
        return self.cache_tensor

    def overwrites(self) -> tuple[Value, ...]:
        """Return the cache and what it is a view of."""
        found = [self.cache_tensor]
        while isinstance(op := found[-1].op, Call) and (viewed := op.alias_of(found[-1].index)) is not None:
            found.append(viewed)
        return tuple(found)

    def workspace(self, target: Target) -> Workspace:
        """Return seven tiles for each tile of a row's width, and two for each position."""
        batch, _, _, width = self.cache_tensor.shape
        return Workspace((7 * round_up(width, TILE) // TILE + 2 * batch) * tile_bytes(DType.bf16))

    @property
    def moved_bytes(self) -> int:
        """Return the bytes of the tiles in which the rows lie, which are read and written back."""
        batch, heads, _, width = self.cache_tensor.shape
        return 2 * batch * heads * round_up(width, TILE) // TILE * tile_bytes(self.cache_tensor.dtype)


def shards(grid: tuple[int, int], width: int) -> MemoryConfig:
    """Return the memory of rows to write: a tile high, one core's for each b."""
    return MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec(grid, (TILE, round_up(width, TILE))))


def shares(count: int, target: Target) -> tuple[int, tuple[int, int]] | None:
    """Return how many of `count` heads a core writes, the fewest that can be, and a rectangle of just so many cores.

    None if the card has no rectangle that fits.
    """
    columns, rows = target.grid
    for heads in range(1, TILE + 1):
        cores = count // heads
        for wide in range(min(columns, cores), 0, -1):
            if cores * heads == count and cores % wide == 0 and cores // wide <= rows:
                return heads, (wide, cores // wide)
    return None
