"""Blocks of products: as much of the result at a time as leaves room for tensors in L1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ttc.analysis.cost.price import call_seconds
from ttc.analysis.residency import HEADROOM, l1_bank
from ttc.calls.banks import bank_bytes
from ttc.calls.call import FUSED, once_a_kind, spec_of
from ttc.calls.matmul import Linear
from ttc.calls.program_config import SUBBLOCK, by_blocks, divisor
from ttc.calls.program_config import MatmulMultiCoreReuseMultiCastProgramConfig as Blocks
from ttc.calls.shards import matrix_tiles
from ttc.calls.target import Target
from ttc.ir import L1, Builder, Graph, Op, Value
from ttc.ir.rewrite import rewrite


def cut_blocks(graph: Graph, target: Target) -> Graph:
    """State smaller blocks of products whose circular buffers take most of L1, where operand and result fit in.

        %a = ttnn.linear(%x, %w, core_grid=GRID)  ->  %a = ttnn.linear(%x, %w, program_config=..(.., out_block_w=4))

    A core of such a product holds its whole share of the result, in fp32 and as stored. By fewer columns at a time it
    reads the first operand again for each block, but from L1, and each weight still once.
    """

    blocks = once_a_kind(partial(_cut, target=target))

    def rule(op: Op, builder: Builder) -> Value | None:
        match op:
            case Linear(core_grid=grid, program_config=None) if grid is not None:
                config = blocks(op)
                return config and builder(by_config(op, config))
        return None

    return rewrite(graph, rule)


def _cut(call: Linear, target: Target) -> Blocks | None:
    """Return the fastest blocks that leave room for operand and result in L1; None if the product stays as it is.

    Blocks take half of L1 at the most. Where operand and result leave less than that, small blocks must save time.
    """
    room = l1_bank(target) - HEADROOM
    x, result = spec_of(call.input_tensor_a), call.infer()
    beside = sum(bank_bytes(replace(spec, memory=L1), target) for spec in (x, result))
    if call.workspace(target).circular_buffers <= room // 2 or beside > room or not _is_plain(call):
        return None
    (rows, inner), columns = matrix_tiles(x), matrix_tiles(result)[1]
    if min(rows, columns) < max(target.grid):  # TTNN gives cores whole rows or columns of narrow results
        return None
    whole = by_blocks(target.grid, rows, inner, columns, FUSED[call.activation] if call.activation else None)
    config = fastest(call, whole, min(room // 2, room - beside), target)
    if config is None or beside + room // 2 <= room:
        return config
    travel = (x.stored_bytes + result.stored_bytes) / target.dram_bytes_per_second
    in_blocks = call_seconds(_in_l1(by_config(call, config)), target)
    return config if in_blocks < call_seconds(call, target) + travel else None


def fastest(call: Linear, whole: Blocks, limit: int, target: Target) -> Blocks | None:
    """Return the blocks of a product with the least predicted time of those that need at most `limit` bytes of L1.

    A core may compute up to a sixth more columns than there are, so that blocks of several columns divide them. None
    if all blocks need more.
    """
    cuts = {config: by_config(call, config) for config in _blocks(whole)}
    fitting = [config for config, cut in cuts.items() if cut.workspace(target).circular_buffers <= limit]
    return min(fitting, key=lambda config: call_seconds(_in_l1(cuts[config]), target), default=None)


def by_config(call: Linear, config: Blocks) -> Linear:
    """Return a product by a program config, which holds the grid and the activation."""
    return replace(call, program_config=config, core_grid=None, activation=None)


def _blocks(whole: Blocks) -> Iterator[Blocks]:
    """Yield the configs that compute a core's columns some at a time, the widest first."""
    for columns in range(whole.per_core_N, whole.per_core_N * 7 // 6 + 1):
        for width in range(columns, 0, -1):
            if columns % width == 0:
                yield replace(
                    whole,
                    per_core_N=columns,
                    out_block_w=width if width < columns else None,
                    out_subblock_w=divisor(width, SUBBLOCK),
                )


def _in_l1(call: Linear) -> Linear:
    """Return a product whose operand and result are in L1."""
    x = call.input_tensor_a
    return replace(call, input_tensor_a=replace(x, type=replace(spec_of(x), memory=L1)), memory_config=L1)


def _is_plain(call: Linear) -> bool:
    """Return whether a product is one that a program config can state."""
    return call.input_tensor_b.type.rank == 2 and not (call.transpose_a or call.transpose_b)
