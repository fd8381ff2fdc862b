"""Program configs of matrix products: how a product is shared out over the cores, stated in TTNN's own terms."""

from __future__ import annotations

from dataclasses import dataclass

from ttc.calls.call import UnaryWithParam
from ttc.calls.shards import Grid
from ttc.errors import Refusal

SUBBLOCK = 4
"""Most tiles that the matrix engine's result registers hold in fp32, and so a subblock."""

DEPTH = 4
"""Most tiles of the inner size that a core reads at a time: as many as TTNN's own where a product names its cores."""

BLOCK = 64
"""Most tiles of a result that a core computes at a time where it has whole rows: L1 holds them in fp32 beside it."""

BANK_STRIPS = 400_000
"""Most bytes of weights that a core beside a bank of DRAM holds where a smaller depth needs fewer."""

STRIPS = 96
"""Tiles of both operands that a core holds, twice as many as it computes with: large blocks are read less deep."""


@dataclass(frozen=True)
class MatmulMultiCoreReuseMultiCastProgramConfig:
    """A product in two dimensions: a core row computes rows of the result, a core column columns.

    A core computes `per_core_M` x `per_core_N` tiles, from `in0_block_w` tiles of the inner size at a time, by
    subblocks that fit into the result registers. Of these tiles it computes `out_block_w` columns at a time, all if
    not given: for each such block the first operand is read again, and L1 holds no more of the result in fp32.
    """

    compute_with_storage_grid_size: Grid
    in0_block_w: int
    out_subblock_h: int
    out_subblock_w: int
    per_core_M: int
    per_core_N: int
    transpose_mcast: bool
    fused_activation: UnaryWithParam | None
    out_block_w: int | None = None

    @property
    def block_rows(self) -> int:
        """Return the rows of tiles that a core computes at a time: all."""
        return self.per_core_M

    @property
    def block_columns(self) -> int:
        """Return the columns of tiles that a core computes at a time."""
        return self.out_block_w or self.per_core_N


@dataclass(frozen=True)
class MatmulMultiCoreReuseMultiCast1DProgramConfig:
    """A product in one dimension: a core computes whole rows of the result, and gets all of the second operand.

    A core computes `out_block_h` rows of tiles at a time, all if not given, and gets the second operand for each block.
    With `mcast_in0` a core computes whole columns, gets all of the first operand, and reads its columns of the second.
    """

    compute_with_storage_grid_size: Grid
    in0_block_w: int
    out_subblock_h: int
    out_subblock_w: int
    per_core_M: int
    per_core_N: int
    fuse_batch: bool
    fused_activation: UnaryWithParam | None
    mcast_in0: bool
    out_block_h: int | None = None

    @property
    def block_rows(self) -> int:
        """Return the rows of tiles that a core computes at a time."""
        return self.out_block_h or self.per_core_M

    @property
    def block_columns(self) -> int:
        """Return the columns of tiles that a core computes at a time: all."""
        return self.per_core_N


@dataclass(frozen=True)
class MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig:
    """A product of one row of tiles by a matrix whose columns lie over the banks of DRAM.

    One core beside each bank reads the columns in the bank, `in0_block_w` tiles of the inner size at a time, and
    computes with them. Operand and result lie in width shards: a core holds `per_core_N` tiles of the result.
    """

    in0_block_w: int
    per_core_M: int
    per_core_N: int
    fused_activation: UnaryWithParam | None


BlocksConfig = MatmulMultiCoreReuseMultiCastProgramConfig | MatmulMultiCoreReuseMultiCast1DProgramConfig
"""Configs that share a result out over a grid of cores, block by block."""

ProgramConfig = BlocksConfig | MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig


def divisor(size: int, most: int) -> int:
    """Return the largest divisor of a size up to a limit."""
    return max(count for count in range(1, min(size, most) + 1) if size % count == 0)


def by_blocks(
    grid: Grid, rows: int, inner: int, columns: int, activation: UnaryWithParam | None
) -> MatmulMultiCoreReuseMultiCastProgramConfig:
    """Return the config of a product of so many tiles in blocks over a grid.

    `inner` counts the tiles of the inner size that a core holds, or reads, side by side.
    """
    wide, high = -(-columns // grid[0]), -(-rows // grid[1])
    depth = STRIPS // (2 * (wide + high))
    return MatmulMultiCoreReuseMultiCastProgramConfig(
        compute_with_storage_grid_size=grid,
        in0_block_w=divisor(inner, min(DEPTH, max(1, depth))),
        out_subblock_h=1,
        out_subblock_w=divisor(wide, SUBBLOCK),
        per_core_M=high,
        per_core_N=wide,
        transpose_mcast=False,
        fused_activation=activation,
    )


def by_rows(
    grid: Grid, rows: int, inner: int, columns: int, activation: UnaryWithParam | None, most: int = BLOCK
) -> MatmulMultiCoreReuseMultiCast1DProgramConfig:
    """Return the config of a product of so many tiles whose rows are spread over a grid, at most so many at a time."""
    high = -(-rows // (grid[0] * grid[1]))
    at_a_time = divisor(high, max(1, most // columns))
    return MatmulMultiCoreReuseMultiCast1DProgramConfig(
        compute_with_storage_grid_size=grid,
        in0_block_w=inner,  # TTNN copies the shards of the first operand where a core reads less of a row at a time
        out_subblock_h=1,
        out_subblock_w=divisor(columns, SUBBLOCK),
        per_core_M=high,
        per_core_N=columns,
        fuse_batch=True,
        fused_activation=activation,
        mcast_in0=False,
        out_block_h=at_a_time if at_a_time < high else None,
    )


def by_columns(
    grid: Grid, held: int, columns: int, activation: UnaryWithParam | None, rows: int = 1
) -> MatmulMultiCoreReuseMultiCast1DProgramConfig:
    """Return the config of a product of few rows of tiles whose columns are spread over a grid.

    A core holds `held` tiles of the operand side by side, and computes `columns` of the result, in all rows.
    """
    return MatmulMultiCoreReuseMultiCast1DProgramConfig(
        compute_with_storage_grid_size=grid,
        in0_block_w=divisor(held, max(1, STRIPS // (2 * (rows + columns)))),
        out_subblock_h=1,
        out_subblock_w=divisor(columns, SUBBLOCK),
        per_core_M=rows,
        per_core_N=columns,
        fuse_batch=True,
        fused_activation=activation,
        mcast_in0=True,
    )


def by_banks(
    held: int, columns: int, strip_bytes: int, activation: UnaryWithParam | None
) -> MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig:
    """Return the config of a product of weights in the banks of DRAM.

    A core holds `held` tiles of the operand and `columns` tiles of the result; `strip_bytes` are those that a core
    beside a bank holds for each tile of depth.
    """
    depth = divisor(held, max(1, BANK_STRIPS // strip_bytes))
    return MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(depth, 1, columns, activation)


def padded_columns(tiles: int) -> int:
    """Return the tiles that a core beside a bank computes for so many: whole subblocks, of a width with the fewest."""
    whole = divisor(tiles, SUBBLOCK)
    width = min(range(whole, SUBBLOCK + 1), key=lambda width: -(-tiles // width))
    return width * -(-tiles // width)


def check_config(config: BlocksConfig, rows: int, inner: int, columns: int) -> None:
    """Refuse a config that does not cover a product of so many tiles with whole blocks."""
    sizes = (config.in0_block_w, config.out_subblock_h, config.out_subblock_w, config.block_rows, config.block_columns)
    if min(*sizes, *config.compute_with_storage_grid_size) < 1:
        raise Refusal("the sizes of a program config are positive")
    if inner % config.in0_block_w:
        raise Refusal(f"{inner} tiles of the inner size are not read {config.in0_block_w} at a time")
    if config.block_rows % config.out_subblock_h or config.block_columns % config.out_subblock_w:
        raise Refusal("the block of a core is no whole number of its subblocks")
    if config.out_subblock_h * config.out_subblock_w > SUBBLOCK:
        raise Refusal(f"a subblock holds {SUBBLOCK} tiles at the most")
    if config.per_core_N < 1 or config.per_core_N % config.block_columns:
        raise Refusal(f"{config.per_core_N} columns of a core are not computed {config.block_columns} at a time")
    if config.per_core_M < 1 or config.per_core_M % config.block_rows:
        raise Refusal(f"{config.per_core_M} rows of a core are not computed {config.block_rows} at a time")
    width, height = config.compute_with_storage_grid_size
    if isinstance(config, MatmulMultiCoreReuseMultiCast1DProgramConfig):
        width, height = (width * height, 1) if config.mcast_in0 else (1, width * height)
    if -(-rows // config.per_core_M) > height or -(-columns // config.per_core_N) > width:
        raise Refusal(f"{rows} x {columns} tiles need more cores than the program config has")
