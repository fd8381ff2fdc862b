"""Products of one row of tiles by weights whose columns lie over the banks of DRAM: what they take, and need of L1."""

from __future__ import annotations

from ttc.calls.program_config import MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig as Config
from ttc.calls.program_config import padded_columns
from ttc.calls.shards import columns_held, in_banks, matrix_tiles
from ttc.calls.sizes import tile_bytes
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Spec


def check_banks(config: Config, x: Spec, weight: Spec, bias: Spec | None, result: Spec) -> None:
    """Refuse a product of weights in the banks of DRAM whose tensors do not lie as its program reads and writes them.

    A card's cores hold the result in order, row by row, which the grid of its shards must agree with.
    """
    rows = matrix_tiles(x)[0]
    if rows != 1 or config.per_core_M != 1:
        raise Refusal(f"a product of weights in the banks of DRAM has one row of tiles, not {rows}")
    if not in_banks(weight):
        raise Refusal("a DRAM-sharded program config takes weights whose columns lie over the banks of DRAM")
    if bias is not None and not (in_banks(bias) and _banks(bias) == _banks(weight)):
        raise Refusal("the bias of weights in the banks of DRAM lies over the same banks")
    held, made = columns_held(x), columns_held(result)
    if held is None or made is None:
        raise Refusal("operand and result of weights in the banks of DRAM lie in width shards")
    if config.in0_block_w < 1 or held % config.in0_block_w:
        raise Refusal(f"{held} tiles of the inner size on a core are not read {config.in0_block_w} at a time")
    if config.per_core_N != made:
        raise Refusal(f"a core holds {made} tiles of the result, not {config.per_core_N}")


def banks_workspace(config: Config, x: Spec, weight: Spec, bias: Spec | None, result: Spec) -> int:
    """Count the bytes of circular buffers of a core beside a bank of DRAM.

    Strips of the operand twice and of the weights three times, once where there is one strip; the columns of the bank
    in fp32, and as the result is stored if that is another dtype; and their bias.
    """
    assert weight.memory.shard is not None
    columns = weight.memory.shard.shape[1] // TILE
    several = config.in0_block_w != matrix_tiles(x)[1]
    strips = (1 + several) * tile_bytes(x.dtype) + (1 + 2 * several) * columns * tile_bytes(weight.dtype)
    each = tile_bytes(DType.f32) + (tile_bytes(result.dtype) if result.dtype is not DType.f32 else 0)
    each += tile_bytes(bias.dtype) if bias is not None else 0
    return strips * config.in0_block_w + padded_columns(columns) * each


def _banks(side: Spec) -> int:
    return side.memory.shard.grid[0] if side.memory.shard else 0
