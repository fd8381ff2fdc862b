"""Shard layouts: the memories that the values of one program may have, over a few grids of cores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ttc.calls.shards import (
    Grid,
    block_shards,
    even,
    height_shards,
    in_order,
    matrix_tiles,
    most_columns,
    rectangle,
    width_shards,
)
from ttc.calls.target import Target
from ttc.ir import MemoryConfig, Spec

FEWEST = 4
"""Part of the most cores that a tensor may lie on, below which a layout is left out."""

FEW_ROWS = 4
"""Most rows of tiles of a tensor in width shards: each of its cores gets all columns of a product's operand."""

MANY_MORE = 1.5
"""Times as many cores as a rectangle that cores in rows must be: another grid is one more to move between."""

Rows = tuple[Grid, int]
"""Columns and rows of cores, and the cores of the row below."""


@dataclass(frozen=True)
class Grids:
    """Grids of cores that a program's shards lie on: those of height, of block, and of width shards.

    There are few grids, so that values of different sizes meet on one, and calls between them need no resharding.
    `rows` are grids of whole rows of cores, each with the cores of the row below that hold height shards, too.
    `averages` are the grids of width shards of tensors of one size, (rows, columns) in tiles, whatever their rows.
    """

    height: tuple[Grid, ...]
    block: tuple[Grid, ...]
    width: tuple[Grid, ...] = ()
    rows: tuple[Rows, ...] = ()
    averages: Mapping[tuple[int, int], set[Grid]] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict, compare=False)

    def in_height(self, spec: Spec) -> dict[Grid, MemoryConfig]:
        """Return the memories of a tensor in height shards, by grid."""
        return self._layouts(spec)[0]

    def in_rows(self, spec: Spec) -> dict[Rows, MemoryConfig]:
        """Return the memories of a tensor in height shards over rows of cores, the last of which is no whole one."""
        return self._layouts(spec)[3]

    def in_blocks(self, spec: Spec) -> dict[Grid, MemoryConfig]:
        """Return the memories of a tensor in block shards, by grid."""
        return self._layouts(spec)[1]

    def in_width(self, spec: Spec) -> dict[Grid, MemoryConfig]:
        """Return the memories of a tensor of few rows of tiles in width shards, by grid; of others if averaged."""
        return self._layouts(spec)[2]

    def all(self, spec: Spec) -> list[MemoryConfig]:
        """List the memories of a tensor in shards."""
        return [memory for memories in self._layouts(spec) for memory in memories.values()]

    def _layouts(self, spec: Spec) -> Sequence[dict[Any, MemoryConfig]]:
        """Return the memories of a tensor in height, in block (those on few cores left out), in width shards, in rows.

        Memories of tensors of one size are one object each, so that they may be compared by identity.
        """
        size = matrix_tiles(spec)
        if size not in self.known:
            height = {grid: memory for grid in self.height if (memory := height_shards(spec, grid))}
            block = {grid: memory for grid in self.block if (memory := block_shards(spec, grid))}
            rows = {cores: memory for cores in self.rows if (memory := height_shards(spec, *cores))}
            most = max((width * rows for width, rows in (*height, *block)), default=0)
            many = [
                {grid: memory for grid, memory in found.items() if FEWEST * grid[0] * grid[1] >= most}
                for found in (height, block)
            ]
            grids = {*(self.width if size[0] <= FEW_ROWS else ()), *self.averages.get(size, ())}
            width = {grid: memory for grid in sorted(grids) if (memory := width_shards(spec, grid))}
            self.known[size] = *many, width, rows
        return self.known[size]


def grids_of(
    specs: Iterable[Spec], target: Target, in_width: Iterable[int] = (), averaged: Iterable[tuple[int, int]] = ()
) -> Grids:
    """Return the grids that use the most cores for one of the tensors.

    `in_width` are the columns of tiles of the tensors that are to lie in width shards. `averaged` are the sizes in
    tiles of images and their means, which lie on half of the cores, too: a product of means waits for each core.
    """
    sizes = {matrix_tiles(spec) for spec in specs}
    columns, rows = target.grid
    heights = {most_even(count, target) for count, _ in sizes}
    in_rows = {cores for count, _ in sizes if (cores := most_in_rows(count, target))}
    lines = {most_rows(count, rows) for count, _ in sizes}
    widths = {most_columns(count, columns) for _, count in sizes} - {1}
    widths = {width for width in widths if 2 * width >= max(widths)}
    blocks = sorted((width, height) for width in widths for height in lines)
    orders = {grid for count in in_width for grid in (most_in_order(count, target), most_in_rectangle(count, target))}
    averages = {size: {most_in_order(count, target) for count in (size[1], size[1] // 2) if count} for size in averaged}
    height = sorted(grid for grid in heights if grid[0] * grid[1] > 1)
    return Grids(tuple(height), tuple(blocks), tuple(sorted(orders)), tuple(sorted(in_rows)), averages)


def most_in_order(tiles: int, target: Target) -> Grid:
    """Return the most cores, the first of the card row by row, that share columns of tiles out evenly."""
    grids = (in_order(cores, target.grid[0]) for cores in range(min(tiles, target.cores), 0, -1) if tiles % cores == 0)
    return next(grid for grid in grids if grid)


def most_in_rectangle(tiles: int, target: Target) -> Grid:
    """Return the largest rectangle of cores that share columns of tiles out evenly."""
    grids = (rectangle(cores, target.grid) for cores in range(min(tiles, target.cores), 0, -1) if tiles % cores == 0)
    return next(grid for grid in grids if grid)


def most_even(tiles: int, target: Target) -> Grid:
    """Return the largest rectangle of cores that all have rows of tiles, if not equally many."""
    for cores in range(min(tiles, target.cores), 1, -1):
        grid = rectangle(cores, target.grid)
        if grid and even(tiles, cores):
            return grid
    return 1, 1


def most_in_rows(tiles: int, target: Target) -> Rows | None:
    """Return the most cores, row by row, that all have rows of tiles; None unless a rectangle has far fewer.

    TTNN chooses these cores for the rows of a convolution.
    """
    cores = most_cores(tiles, target)
    columns, rows = most_even(tiles, target)
    whole, rest = divmod(cores, target.grid[0])
    return ((target.grid[0], whole), rest) if rest and whole and cores >= MANY_MORE * columns * rows else None


def most_cores(tiles: int, target: Target) -> int:
    """Return the most cores that all have rows of tiles."""
    return next(count for count in range(min(tiles, target.cores), 0, -1) if even(tiles, count))


def most_rows(tiles: int, limit: int) -> int:
    """Return the most core rows, up to `limit`, that all have rows of tiles."""
    return next(count for count in range(min(tiles, limit), 0, -1) if even(tiles, count))
