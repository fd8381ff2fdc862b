"""The L1 that a convolution takes on each core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttc.calls.call import BLOCK_FORMATS
from ttc.calls.target import Target
from ttc.calls.window import shard_rows
from ttc.ir import TILE, DType, Sharding

if TYPE_CHECKING:
    from ttc.calls.convolution import Convolution


def sharded_bytes(call: Convolution, dtype: DType, target: Target) -> int:
    """Bound the L1 per core that a convolution takes, buffers and circular buffers, from above, in bytes.

    For the largest slice TTNN holds at once the input shard and its halo; later the halo, one kernel row of weights
    (all of them where height shards are computed in several blocks), two activation blocks (rows and tiles), the result
    and its block's fp32 partial sums, index tables; plus a twentieth. The measured need is 0.75 to 0.95 of the bound
    over the convolutions of nine networks that run whole, bf16 and fp32, n150 and p150.
    """
    part, in_blocks = call.parts[0], call.conv_config.shard_layout is Sharding.BLOCK_SHARDED
    channels_in, channels_out = (core_channels(call, count, target) for count in (call.in_channels, call.out_channels))
    here = shard_rows(part.output_pixels, call.shard_cores(target.grid))
    block = min(call.conv_config.act_block_h_override, here) or here
    taps = call.kernel_size[1] if in_blocks or block == here else call.taps
    shard = shard_bytes(call, dtype, target)
    halo = part.halo(here) * channels_in * row_dtype(dtype).bytes
    weights = taps * channels_in * channels_out * call.weights_dtype(dtype).bytes
    blocks = block * call.kernel_size[1] * channels_in * (row_dtype(dtype).bytes + dtype.bytes)
    partial = 2 * block * DType.f32.bytes + (here * dtype.bytes if block < here else 0)
    results = partial * channels_out
    computing = weights + blocks + results + (shard if call.keeps_input else 0)
    spreading = 1.2 * shard  # where strides skip lines the halo was found larger than its estimate
    return int(1.05 * (halo + max(spreading, computing))) + 4096


def shard_bytes(call: Convolution, dtype: DType, target: Target) -> int:
    """Return the bytes of each core's shard of the input of the largest slice."""
    part = call.parts[0]
    rows = call.input_rows(part, call.shard_cores(target.grid))
    return int(rows * core_channels(call, call.in_channels, target) * dtype.bytes)


def halo_bytes(call: Convolution, dtype: DType, target: Target) -> int:
    """Return the bytes of the largest slice's halo, all rows that a core reads of the input: a halo is no tiles."""
    part = call.parts[0]
    rows = part.most_read(shard_rows(part.output_pixels, call.shard_cores(target.grid)))
    return int(rows * core_channels(call, call.in_channels, target) * row_dtype(dtype).bytes)


def result_bytes(call: Convolution, dtype: DType, target: Target) -> int:
    """Return the bytes of each core's shard of the result of the largest slice."""
    rows = shard_rows(call.parts[0].output_pixels, call.shard_cores(target.grid))
    return int(rows * core_channels(call, call.out_channels, target) * dtype.bytes)


def row_dtype(dtype: DType) -> DType:
    """Return the dtype of rows that tiles become: of block formats, which exist in tiles only, bf16."""
    return DType.bf16 if dtype in BLOCK_FORMATS else dtype


def core_channels(call: Convolution, channels: int, target: Target) -> int:
    """Return the channels, whole tiles, that a core holds: all, or in block shards a core column's."""
    config, tiles = call.conv_config, -(-channels // TILE)
    if config.shard_layout is Sharding.BLOCK_SHARDED:
        tiles = -(-tiles // (config.core_grid.columns if config.core_grid else target.grid[0]))
    return tiles * TILE
