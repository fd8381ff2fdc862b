"""Moves from shards to interleaved memory, and to shards again: left out where the next call reads the first shards."""

from __future__ import annotations

from dataclasses import replace

from ttc.calls.call import spec_of
from ttc.calls.heads_decode import NlpCreateQkvHeadsDecode
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.matmul import Linear
from ttc.calls.program_config import MatmulMultiCoreReuseMultiCast1DProgramConfig as ByColumns
from ttc.calls.program_config import MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig as ByBanks
from ttc.calls.program_config import divisor
from ttc.calls.shape import Reshape
from ttc.calls.shards import columns_held
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import Builder, Graph, Op, Sharding, Spec, Value
from ttc.ir.rewrite import rewrite


def meet_in_shards(graph: Graph, target: Target) -> Graph:
    """Let calls that read one row of tiles in width shards read those that the row lies in already.

        %a: .. width_sharded 8x4 = ttnn.experimental.nlp_concat_heads_decode(%h, ..)
        %b: .. dram = ttnn.to_memory_config(%a, DRAM)
        %c: .. width_sharded 8x8 = ttnn.to_memory_config(%b, ..)
        %y = ttnn.linear(%c, %w, ..)                                       ->  %y = ttnn.linear(%a, %w, ..)

    Products of weights in the banks of DRAM, products by columns, and the cut of a token's heads read any width shards;
    from other shards a row goes into those that its reader needs by one move.
    """

    def rule(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
        match op:
            case ToMemoryConfig(tensor=x) if _by_width(op.infer()):
                row = _in_shards(x, builder)
                return builder(replace(op, tensor=row)) if row else None
            case NlpCreateQkvHeadsDecode(input_tensor=x):
                row = _in_shards(x, builder)
                return builder.add(replace(op, input_tensor=row)) if row else None
            case Linear(program_config=ByBanks(), input_tensor_a=Value(ToMemoryConfig(tensor=row))):
                return builder(replace(op, input_tensor_a=row)) if _reads(op, row) else None
            case Linear(program_config=ByColumns(mcast_in0=True) as config, input_tensor_a=x):
                row = _in_shards(x, builder)
                fitted = replace(op, program_config=_from(config, row)) if row else op
                return builder(replace(fitted, input_tensor_a=row)) if row and _reads(fitted, row) else None
        return None

    return rewrite(graph, rule)


def _in_shards(x: Value, builder: Builder) -> Value | None:
    """Return the row in width shards that x is a copy of in interleaved memory, in x's shape; None if x is no copy."""
    copy = x
    while isinstance(copy.op, Reshape) and copy.op.is_view:
        copy = copy.op.input_tensor
    if not isinstance(copy.op, ToMemoryConfig) or not _by_width(spec_of(copy.op.tensor)):
        return None
    row = copy.op.tensor
    if x.shape == row.shape:
        return row
    view = Reshape(row, x.shape)
    return builder(view) if view.is_view else None


def _from(config: ByColumns, row: Value) -> ByColumns:
    """Return the config of a product that reads a row as deep as a core holds the row, on all cores that do."""
    shard = spec_of(row).memory.shard
    assert shard is not None
    grid = max(shard.grid, config.compute_with_storage_grid_size, key=lambda grid: grid[0] * grid[1])
    depth = divisor(columns_held(spec_of(row)) or 1, config.in0_block_w)
    return replace(config, compute_with_storage_grid_size=grid, in0_block_w=depth)


def _reads(op: Linear, row: Value) -> bool:
    """Return whether a product of one row of tiles reads the row in the width shards that the row lies in."""
    if not _by_width(spec_of(row)):
        return False
    try:
        replace(op, input_tensor_a=row).infer()
    except Refusal:
        return False
    return True


def _by_width(spec: Spec) -> bool:
    return spec.memory.sharding is Sharding.WIDTH_SHARDED
