"""Products whose columns are shared out over cores, which all get the first operand: the shards that these take."""

from __future__ import annotations

from ttc.calls.program_config import BlocksConfig
from ttc.calls.program_config import MatmulMultiCoreReuseMultiCast1DProgramConfig as Config
from ttc.calls.shards import columns_held, in_order, is_sharded
from ttc.calls.sizes import tile_bytes
from ttc.errors import Refusal
from ttc.ir import Spec


def check_columns(config: Config, x: Spec, result: Spec) -> None:
    """Refuse tensors in other shards than columns over the first cores of the config's grid, row by row.

    TTNN puts the shards of a result there whatever grid is stated, and takes those of an operand from there.
    """
    width, height = config.compute_with_storage_grid_size
    for side, name in ((x, "operand"), (result, "result")):
        shard = side.memory.shard
        if not is_sharded(side):
            continue
        if shard is None or columns_held(side) is None:
            raise Refusal(f"a product by columns has its {name} interleaved or in width shards, not in {side.memory}")
        if shard.grid != in_order(shard.cores, width) or shard.grid[1] > height:
            raise Refusal(f"the {name} of a product by columns is not on the first cores of {width} x {height}")
    held, made = columns_held(x), columns_held(result)
    if held is not None and held % config.in0_block_w:
        raise Refusal(f"{held} tiles of the inner size on a core are not read {config.in0_block_w} at a time")
    if made is not None and config.per_core_N != made:
        raise Refusal(f"a core holds {made} tiles of the result, not {config.per_core_N}")


def sent_from_others(config: BlocksConfig, x: Spec, columns: int) -> int:
    """Return the bytes of L1 that cores need to send an operand on where more hold the operand than compute columns."""
    shard = x.memory.shard
    if not isinstance(config, Config) or not config.mcast_in0 or shard is None:
        return 0
    strip = config.block_rows * config.in0_block_w * tile_bytes(x.dtype)
    return 2 * strip if shard.cores > -(-columns // config.per_core_N) else 0
