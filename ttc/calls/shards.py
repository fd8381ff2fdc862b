"""Shards: the tiles of a tensor over a rectangle of cores, in L1, by rows, by columns, or by both.

A tensor counts as one matrix: all dimensions but the last are its rows. The layouts made here leave no core of the
rectangle without tiles, and give each core equally many columns: those TTNN's programs keep as they are stated. Rows
may also lie over the first cores of a card, row by row, the last row of which is no whole one.
"""

from __future__ import annotations

from math import prod

from ttc.ir import TILE, Buffer, MemoryConfig, Sharding, ShardSpec, Spec

Grid = tuple[int, int]
"""Columns and rows of cores."""


def matrix_tiles(spec: Spec) -> tuple[int, int]:
    """Count the rows and columns of tiles of a tensor as a matrix, padding included."""
    *outer, height, width = spec.padded_shape
    return prod(outer) * height // TILE, width // TILE


def is_sharded(spec: Spec) -> bool:
    """Return whether a tensor lies in shards."""
    return spec.memory.sharding is not Sharding.INTERLEAVED


def even(count: int, parts: int) -> int | None:
    """Return the units of each of `parts` parts, the last of which may hold fewer; None if a part would hold none."""
    each = -(-count // parts)
    return each if -(-count // each) == parts else None


def own_shards(*specs: Spec) -> int:
    """Return the bytes of each core's L1 that the shards of those tensors take that lie in shards."""
    shards = ((spec.memory.shard, spec.dtype.bytes) for spec in specs)
    return sum(int(shard.shape[0] * shard.shape[1] * size) for shard, size in shards if shard is not None)


def height_shards(spec: Spec, grid: Grid, rest: int = 0) -> MemoryConfig | None:
    """Return the memory with rows over a grid and `rest` cores of the row below; None if a core would hold none."""
    rows, columns = matrix_tiles(spec)
    each = even(rows, grid[0] * grid[1] + rest)
    return None if each is None else _sharded(Sharding.HEIGHT_SHARDED, grid, each, columns, rest=rest)


def block_shards(spec: Spec, grid: Grid) -> MemoryConfig | None:
    """Return the memory with rows over the rows of a grid and columns over its columns; None if cores differ."""
    rows, columns = matrix_tiles(spec)
    each = even(rows, grid[1])
    if each is None or columns % grid[0]:
        return None
    return _sharded(Sharding.BLOCK_SHARDED, grid, each, columns // grid[0])


def width_shards(spec: Spec, grid: Grid) -> MemoryConfig | None:
    """Return the memory with columns over all cores of a grid; None if cores differ."""
    rows, columns = matrix_tiles(spec)
    cores = grid[0] * grid[1]
    return None if columns % cores else _sharded(Sharding.WIDTH_SHARDED, grid, rows, columns // cores)


def columns_held(spec: Spec) -> int | None:
    """Return the tiles across of a tensor in width shards that a core holds; None of other tensors."""
    shard = spec.memory.shard
    return shard.shape[1] // TILE if shard and spec.memory == width_shards(spec, shard.grid) else None


def bank_shards(spec: Spec, banks: int) -> MemoryConfig:
    """Return the memory with columns over the banks of DRAM; the last banks may hold fewer, or none."""
    rows, columns = matrix_tiles(spec)
    return _sharded(Sharding.WIDTH_SHARDED, (banks, 1), rows, -(-columns // banks), Buffer.DRAM)


def in_banks(spec: Spec) -> bool:
    """Return whether a tensor's columns lie over the banks of DRAM as `bank_shards` lays them out."""
    shard = spec.memory.shard
    return shard is not None and spec.memory == bank_shards(spec, shard.grid[0])


def _sharded(
    sharding: Sharding, grid: Grid, rows: int, columns: int, buffer: Buffer = Buffer.L1, rest: int = 0
) -> MemoryConfig:
    return MemoryConfig(buffer, sharding, ShardSpec(grid, (rows * TILE, columns * TILE), rest=rest))


def rectangle(cores: int, grid: Grid) -> Grid | None:
    """Return a rectangle of exactly so many cores within a grid, the widest; None if there is none."""
    widths = range(min(grid[0], cores), 0, -1)
    return next(((width, cores // width) for width in widths if cores % width == 0 and cores // width <= grid[1]), None)


def in_order(cores: int, columns: int) -> Grid | None:
    """Return the first cores of a card of so many columns, row by row; None if they are no rectangle."""
    if cores <= columns:
        return cores, 1
    return None if cores % columns else (columns, cores // columns)


def most_columns(tiles: int, limit: int) -> int:
    """Return the most core columns, up to `limit`, that share columns of tiles out evenly."""
    return max(count for count in range(1, limit + 1) if tiles % count == 0)
