"""Shard layouts: the memories that the values of one program may have, over a few grids of cores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ttc.calls.shards import Grid, block_shards, even, height_shards, matrix_tiles, most_columns, rectangle
from ttc.calls.target import Target
from ttc.ir import MemoryConfig, Spec

FEWEST = 4
"""Part of the most cores that a tensor may lie on, below which a layout is left out."""


@dataclass(frozen=True)
class Grids:
    """Grids of cores that a program's shards lie on: those of height shards, and those of block shards.

    There are few grids, so that values of different sizes meet on one, and calls between them need no resharding.
    """

    height: tuple[Grid, ...]
    block: tuple[Grid, ...]
    known: dict[Any, Any] = field(default_factory=dict, compare=False)

    def in_height(self, spec: Spec) -> dict[Grid, MemoryConfig]:
        """Return the memories of a tensor in height shards, by grid."""
        return self._layouts(spec)[0]

    def in_blocks(self, spec: Spec) -> dict[Grid, MemoryConfig]:
        """Return the memories of a tensor in block shards, by grid."""
        return self._layouts(spec)[1]

    def all(self, spec: Spec) -> list[MemoryConfig]:
        """List the memories of a tensor in shards."""
        return [memory for memories in self._layouts(spec) for memory in memories.values()]

    def _layouts(self, spec: Spec) -> tuple[dict[Grid, MemoryConfig], dict[Grid, MemoryConfig]]:
        """Return the memories of a tensor in height and in block shards, those on few cores left out.

        Memories of tensors of one size are one object each, so that they may be compared by identity.
        """
        size = matrix_tiles(spec)
        if size not in self.known:
            height = {grid: memory for grid in self.height if (memory := height_shards(spec, grid))}
            block = {grid: memory for grid in self.block if (memory := block_shards(spec, grid))}
            most = max((width * rows for width, rows in (*height, *block)), default=0)
            self.known[size] = tuple(
                {grid: memory for grid, memory in found.items() if FEWEST * grid[0] * grid[1] >= most}
                for found in (height, block)
            )
        return self.known[size]


def grids_of(specs: Iterable[Spec], target: Target) -> Grids:
    """Return the grids that use the most cores for one of the tensors."""
    sizes = {matrix_tiles(spec) for spec in specs}
    columns, rows = target.grid
    heights = {most_even(count, target) for count, _ in sizes}
    lines = {most_rows(count, rows) for count, _ in sizes}
    widths = {most_columns(count, columns) for _, count in sizes} - {1}
    widths = {width for width in widths if 2 * width >= max(widths)}
    blocks = sorted((width, height) for width in widths for height in lines)
    return Grids(tuple(sorted(grid for grid in heights if grid[0] * grid[1] > 1)), tuple(blocks))


def most_even(tiles: int, target: Target) -> Grid:
    """Return the largest rectangle of cores that all have rows of tiles, if not equally many."""
    for cores in range(min(tiles, target.cores), 1, -1):
        grid = rectangle(cores, target.grid)
        if grid and even(tiles, cores):
            return grid
    return 1, 1


def most_rows(tiles: int, limit: int) -> int:
    """Return the most core rows, up to `limit`, that all have rows of tiles."""
    return next(count for count in range(min(tiles, limit), 0, -1) if even(tiles, count))
