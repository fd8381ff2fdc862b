"""Division of a matrix product over the cores: as its configuration says, or as TTNN divides one without any.

Sources: tt-metal's tech_reports/GEMM_FLOPS (2-D multicast); which division TTNN takes was read off profiled products'
core counts and off the products of 512 x 1024 x 2048, whose one reader of `a` shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, prod

from ttc.analysis.cost.work import Card, Work
from ttc.calls.sizes import tiles_along
from ttc.ir import Buffer

L1_BYTES = 1_300_000
"""Bytes of a core's L1 that TTNN's programs for products fill with blocks."""

WIDE, TALL = 4, 8
"""Ratio of sides from which each core has whole columns, or whole rows, of a result."""

NARROW_DEPTH = 2
"""Tiles of depth that a core of a one-dimensional division takes at a time where nobody states them."""


@dataclass(frozen=True)
class Division:
    """Tiles of the result that a core computes at a time, its block of them, and how often it does (`rounds`).

    `read_a` and `read_b` are the tiles that each reader reads, of `readers_a` and `readers_b`; the readers of an
    operand send their tiles to cores that need the same.
    """

    rows: int
    columns: int
    inner: int
    read_a: int
    read_b: int
    readers_a: int
    readers_b: int
    cores: int
    rounds: int = 1
    block_rows: int = 0
    block_columns: int = 0
    depth: int = 1

    @property
    def steps(self) -> int:
        """Count the steps along the depth, at each of which the cores wait for each other."""
        return self.rounds * self.sweeps_a * self.sweeps_b * -(-self.inner // self.depth)

    @property
    def listeners(self) -> int:
        """Count the cores that the senders of one step wait for."""
        return sum(self.cores // readers - 1 for readers in (self.readers_a, self.readers_b))

    @property
    def sweeps_a(self) -> int:
        """Count how often `a` is read: once for each column of blocks."""
        return -(-self.columns // self.block_columns)

    @property
    def sweeps_b(self) -> int:
        """Count how often `b` is read: once for each row of blocks."""
        return -(-self.rows // self.block_rows)


def divide(work: Work, card: Card) -> Division:
    """Return the division that the configuration states, the one that takes the told cores, or TTNN's own."""
    batch, height, inner, width = sides(work)
    if work.get("by_banks"):
        return _by_banks(work, card, inner, width)
    if batch > 1 and not (work.get("batch_in_turn") or work.get("grid_x")):
        return _fitted(_batched(work, card, batch, height, inner, width), work)
    columns, rows = int(work.get("grid_x", card.grid[0])), int(work.get("grid_y", card.grid[1]))
    cores = work.cores or rows * columns
    ways = {
        "block": _block(height, inner, width, columns, rows, int(work.get("N_block_size", 1))),
        "wide": _wide(height, inner, width, cores),
        "tall": _tall(height, inner, width, cores),
    }
    chosen = replace(ways[_way(work, height, width, ways)], rounds=batch)
    return _fitted(chosen, work)


def sides(work: Work) -> tuple[int, int, int, int]:
    """Return the batches, and in tiles the height, the depth and the width of a product.

    Batches of `a` alone are rows of one product.
    """
    a, b = work.inputs[0].shape, work.inputs[1].shape
    height, inner, width, batch = tiles_along(a[-2]), tiles_along(a[-1]), tiles_along(b[-1]), prod(b[:-2])
    if batch == 1 and not work.get("batch_in_turn"):
        height *= prod(a[:-2])
    return max(batch, prod(a[:-2]) if work.get("batch_in_turn") else 1), height, inner, width


def _way(work: Work, height: int, width: int, ways: dict[str, Division]) -> str:
    """Return the kind of division: stated, or by the sides, but never one that told cores contradict."""
    if work.get("one_dimension"):
        return "wide" if work.get("send_a", 1) else "tall"
    if work.get("two_dimensions"):
        return "block"
    first = "wide" if width >= WIDE * height else "tall" if height > TALL * width else "block"
    order = [first, *(way for way in ways if way != first)]
    return next((way for way in order if ways[way].cores == work.cores), first)


def _block(height: int, inner: int, width: int, columns: int, rows: int, strip: int) -> Division:
    """Divide both sides; `strip` is the number of tiles that the width of a core is a multiple of."""
    down, across = ceil(height / rows), strip * ceil(width / columns / strip)
    rows, columns = ceil(height / down), ceil(width / across)
    return Division(down, across, inner, down * inner, inner * across, rows, columns, rows * columns)


def _wide(height: int, inner: int, width: int, cores: int) -> Division:
    across = ceil(width / cores)
    cores = ceil(width / across)
    return Division(height, across, inner, height * inner, inner * across, 1, cores, cores)


def _tall(height: int, inner: int, width: int, cores: int) -> Division:
    down = ceil(height / cores)
    cores = ceil(height / down)
    return Division(down, width, inner, down * inner, inner * width, cores, 1, cores)


def _by_banks(work: Work, card: Card, inner: int, width: int) -> Division:
    """Divide the columns over the banks of DRAM: a core beside each bank computes those in the bank."""
    across = ceil(width / card.dram_banks)
    cores = ceil(width / across)
    cut = Division(1, across, inner, inner, inner * across, cores, cores, cores)
    return replace(cut, block_rows=1, block_columns=across, depth=int(work.get("in0_block_w")))


def _batched(work: Work, card: Card, batch: int, height: int, inner: int, width: int) -> Division:
    """Divide many products: TTNN computes one after another, each on as many cores as its result has tiles."""
    cores = min(work.cores or card.cores, height * width)
    columns = ceil(width * height / cores) if height == 1 else width
    rows = ceil(height * width / columns / cores) if height > 1 else 1
    return Division(rows, columns, inner, rows * inner, inner * columns, cores, cores, cores, batch)


def _fitted(cut: Division, work: Work) -> Division:
    """Choose the block: as stated, or the largest that fits L1 with two strips of each operand."""
    size = max(work.inputs[0].tile_bytes, work.inputs[1].tile_bytes)
    own = work.outputs[0].tile_bytes if work.outputs[0].buffer is Buffer.DRAM else 2048
    deepest = int(min(cut.inner, work.get("in0_block_w", _deepest(cut, work))))
    depths = [depth for depth in range(deepest, 0, -1) if cut.inner % depth == 0]
    deep = [depth for depth in depths if depth >= min(4, deepest)] or depths
    if work.get("block_rows"):
        rows, columns = min(cut.rows, int(work.get("block_rows"))), min(cut.columns, int(work.get("block_columns")))
        return replace(cut, block_rows=rows, block_columns=columns, depth=depths[0])
    for cuts in range(12):
        rows, columns = ceil(cut.rows / 2**cuts), ceil(cut.columns / 2**cuts)
        for depth in deep:
            if 2 * depth * (rows + columns) * size + rows * columns * max(own, 2048) <= L1_BYTES:
                return replace(cut, block_rows=rows, block_columns=columns, depth=depth)
    return replace(cut, block_rows=1, block_columns=1, depth=1)


def _deepest(cut: Division, work: Work) -> int:
    """Return the depth that TTNN takes at most: a core's own share of the depth, or little where one core sends."""
    if work.inputs[0].local:
        return max(1, cut.inner // max(cut.readers_b, 1))
    if cut.readers_a == 1 or cut.readers_b == 1:
        return NARROW_DEPTH
    return max(1, cut.inner // cut.readers_b)
