"""Blocks of products: as much of the result at a time as leaves room for tensors in L1."""

from __future__ import annotations

from dataclasses import replace

from ttc.analysis.memory import bank_bytes
from ttc.analysis.residency import HEADROOM, l1_bank
from ttc.calls.call import FUSED, spec_of
from ttc.calls.matmul import Linear
from ttc.calls.program_config import SUBBLOCK, MatmulMultiCoreReuseMultiCastProgramConfig, by_blocks, divisor
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

    def rule(op: Op, builder: Builder) -> Value | None:
        match op:
            case Linear(core_grid=grid, program_config=None) if grid is not None:
                cut = _cut(op, target)
                return cut and builder(cut)
        return None

    return rewrite(graph, rule)


def _cut(call: Linear, target: Target) -> Linear | None:
    """Return the product in the largest blocks that take half of L1 at the most; None if the product stays as it is."""
    room = l1_bank(target) - HEADROOM
    limit = room // 2
    x, result = spec_of(call.input_tensor_a), call.infer()
    beside = sum(bank_bytes(replace(spec, memory=L1), target) for spec in (x, result))
    if call.workspace(target).circular_buffers <= limit or beside + limit > room or not _is_plain(call):
        return None
    (rows, inner), columns = matrix_tiles(x), matrix_tiles(result)[1]
    if min(rows, columns) < max(target.grid):  # TTNN gives cores whole rows or columns of narrow results
        return None
    whole = by_blocks(target.grid, rows, inner, columns, FUSED[call.activation] if call.activation else None)
    return within(call, whole, limit, target)


def within(
    call: Linear, whole: MatmulMultiCoreReuseMultiCastProgramConfig, limit: int, target: Target
) -> Linear | None:
    """Return a product by a config, in the widest blocks that need no more than `limit` bytes of L1; None if all do."""
    for width in range(whole.per_core_N, 0, -1):
        if whole.per_core_N % width == 0:
            block = width if width < whole.per_core_N else None
            config = replace(whole, out_block_w=block, out_subblock_w=divisor(width, SUBBLOCK))
            cut = replace(call, program_config=config, core_grid=None, activation=None)
            if cut.workspace(target).circular_buffers <= limit:
                return cut
    return None


def _is_plain(call: Linear) -> bool:
    """Return whether a product is one that a program config can state."""
    matrix = call.input_tensor_b.type.rank == 2 and not (call.transpose_a or call.transpose_b)
    return matrix and (call.activation is None or call.activation in FUSED)
