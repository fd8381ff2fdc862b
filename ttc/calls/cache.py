"""Writing into caches that states keep on the device, and into pools of blocks, which page tables name."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ttc.calls.call import Call, Workspace, accept, buffer_of, spec_of
from ttc.calls.sizes import tile_bytes, tiles_along
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

ENTRY_BYTES = 64
"""The bytes that a row of integers is rounded up to, on any card."""

CACHED = frozenset({DType.bf16, DType.bfp8})
"""The dtypes of caches that rows are written into."""

FILLED = CACHED | {DType.f32}
"""The dtypes of caches whose blocks are filled."""

SKIPPED = -1
"""The position at which nothing is written; at others beyond the cache, TTNN writes into whatever lies there."""


@dataclass(frozen=True)
class CacheWrite(Call, abstract=True):
    """A write into a cache that is a program's input, or a view of one."""

    moves: ClassVar[bool] = True
    effect: ClassVar[bool] = True
    looks_up: ClassVar[bool] = True
    cache_tensor: Value
    input_tensor: Value

    def _check_cache(self, taken: frozenset[DType], *tables: Value) -> None:
        """Refuse a cache that cannot be written, and tables that are not integers in rows, all in DRAM."""
        accept(self.cache_tensor, Layout.TILE, taken, "the cache")
        for table in tables:
            accept(table, Layout.ROW_MAJOR, frozenset({DType.i32}), "a table of integers")
        if not isinstance(buffer_of(self.cache_tensor).op, Input):
            raise Refusal(f"%{self.cache_tensor.name} is written in place, and is no input")
        if any(spec_of(value).memory != DRAM for value in (self.cache_tensor, *tables)):
            raise Refusal("the cache and tables of integers must be in DRAM")
        cache = spec_of(self.cache_tensor)
        if cache.rank != 4 or cache.shape[1] > TILE:
            raise Refusal(f"a cache is [B, H, S, D] of at most {TILE} heads, got {list(cache.shape)}")

    def _check_blocks(self, table: Value, sequences: int) -> None:
        """Refuse a page table [sequences, P] that does not fit a pool, and blocks that end inside tiles."""
        blocks, _, size, _ = self.cache_tensor.shape
        if size % TILE:
            raise Refusal(f"blocks of {size} rows are no multiple of the tile ({TILE})")
        if table.type.rank != 2 or table.shape[0] != sequences or not 0 < table.shape[1] <= blocks:
            raise Refusal(f"a page table {list(table.shape)} does not fit {sequences} sequences and {blocks} blocks")

    def alias(self) -> Value | None:
        return self.cache_tensor

    def overwrites(self) -> tuple[Value, ...]:
        """Return the cache and what it is a view of."""
        found = [self.cache_tensor]
        while isinstance(op := found[-1].op, Call) and (viewed := op.alias_of(found[-1].index)) is not None:
            found.append(viewed)
        return tuple(found)


@dataclass(frozen=True)
class PagedUpdateCache(CacheWrite, name="ttnn.experimental.paged_update_cache"):
    """cache_tensor[b, :, update_idxs_tensor[b]] = input_tensor[0, b] for every b, in place; at -1 nothing.

    The cache is bf16 or bfp8 [B, H, S, D] in tiles in DRAM, H at most 32, and a program's input. The rows to write are
    [1, B, H, D], in L1, those of one b on a core (`shards`); the positions are i32 [B] in rows in DRAM.

    With a `page_table` i32 [B, P] the cache is a pool of blocks [N, H, S, D], and position p of b is row p % S of
    block page_table[b, p // S], which must be 0 .. N - 1.
    """

    _: KW_ONLY
    update_idxs_tensor: Value
    page_table: Value | None = None

    def infer(self) -> Spec:
        tables = [self.update_idxs_tensor, *([] if self.page_table is None else [self.page_table])]
        self._check_cache(CACHED, *tables)
        accept(self.input_tensor, Layout.TILE, frozenset({DType.bf16}), "the rows to write")
        cache, rows, places = map(spec_of, (self.cache_tensor, self.input_tensor, self.update_idxs_tensor))
        _, heads, _, width = cache.shape
        batch = cache.shape[0] if self.page_table is None else places.numel
        if rows.shape != (1, batch, heads, width) or places.shape != (batch,):
            raise Refusal(f"rows {list(rows.shape)} at {list(places.shape)} do not fit a cache {list(cache.shape)}")
        if self.page_table is not None:
            self._check_blocks(self.page_table, batch)
        shard = rows.memory.shard
        if shard is None or rows.memory != shards(shard.grid, width) or shard.grid[0] * shard.grid[1] != batch:
            raise Refusal(f"the rows to write are in {rows.memory}; accepted are {batch} shards, each on its core")
        return cache

    @property
    def batch(self) -> int:
        """Return how many rows of all heads are written."""
        return self.input_tensor.shape[1]

    def workspace(self, target: Target) -> Workspace:
        """Return seven tiles for each tile of a row's width, two for each position, and a row of the page table."""
        width = tiles_along(self.cache_tensor.shape[3])
        pages = 0 if self.page_table is None else table_bytes(self.page_table.shape[1])
        return Workspace((7 * width + 2 * self.batch) * tile_bytes(DType.bf16) + pages)

    @property
    def moved_bytes(self) -> int:
        """Return the bytes of the tiles in which the rows lie, which are read and written back."""
        _, heads, _, width = self.cache_tensor.shape
        return 2 * self.batch * heads * tiles_along(width) * tile_bytes(self.cache_tensor.dtype)


@dataclass(frozen=True)
class PagedFillCache(CacheWrite, name="ttnn.experimental.paged_fill_cache"):
    """cache_tensor[page_table[0, i]] = input_tensor[0, :, i * S : (i + 1) * S] for every i, in place; at -1 nothing.

    The cache is a pool of blocks [N, H, S, D] in tiles in DRAM, H at most 32, and a program's input; the rows are
    [1, H, P * S, D] in its dtype, the page table is i32 [1, P] in rows in DRAM. Tiles are copied as they are.
    """

    page_table: Value

    def infer(self) -> Spec:
        self._check_cache(FILLED, self.page_table)
        cache, rows = spec_of(self.cache_tensor), spec_of(self.input_tensor)
        accept(self.input_tensor, Layout.TILE, frozenset({cache.dtype}), "the rows to write")
        self._check_blocks(self.page_table, 1)
        _, heads, size, width = cache.shape
        if rows.shape != (1, heads, self.page_table.shape[1] * size, width):
            raise Refusal(f"rows {list(rows.shape)} do not fill blocks of {list(cache.shape)}")
        if rows.memory.sharding is not Sharding.INTERLEAVED:
            raise Refusal(f"the rows to write are in {rows.memory}")
        return cache

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of tiles, and the page table."""
        width = tiles_along(self.cache_tensor.shape[3])
        return Workspace(2 * width * tile_bytes(self.cache_tensor.dtype) + table_bytes(self.page_table.shape[1]))


def table_bytes(entries: int) -> int:
    """Return the bytes that a row of so many integers takes on a core."""
    return round_up(4 * entries, ENTRY_BYTES)


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
