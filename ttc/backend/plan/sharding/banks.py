"""Weights over the banks of DRAM: which products they are for, and programs that share them with such a product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from ttc.analysis.residency import HEADROOM, l1_bank
from ttc.backend.plan.cut_blocks import by_config, fastest
from ttc.backend.plan.sharding.layouts import FEW_ROWS
from ttc.calls.call import FUSED, spec_of
from ttc.calls.matmul import Linear
from ttc.calls.program_config import by_blocks
from ttc.calls.shards import bank_shards, in_banks, matrix_tiles
from ttc.calls.target import Target
from ttc.ir import Builder, Const, Graph, Node, Spec, Value, rebuilt

LARGE = 12e-6
"""Least seconds at DRAM's peak rate to read weights that are worth a form of their own: as many as a move must save."""


def lines_of(graph: Graph, target: Target) -> set[int]:
    """Return the columns of tiles of the operands and results of products of few rows of tiles by large weights."""
    found: set[int] = set()
    for node in graph.nodes:
        match node.op:
            case Linear(input_tensor_a=x, input_tensor_b=Value(op=Const()) as weight) as call:
                large = spec_of(weight).stored_bytes > LARGE * target.dram_bytes_per_second
                if large and matrix_tiles(spec_of(x))[0] <= FEW_ROWS and weight.type.rank == 2:
                    found |= {matrix_tiles(spec_of(x))[1], matrix_tiles(call.infer())[1]}
    return found


def lone_constants(graph: Graph) -> set[Value]:
    """Return the constants that one call alone reads: another memory of theirs is no other call's concern."""
    readers = Counter(value for node in graph.nodes for value in node.op.operands())
    outside = {value for _, value in graph.outputs}
    return {value for value, count in readers.items() if count == 1 and isinstance(value.op, Const)} - outside


def banks_of(graph: Graph) -> frozenset[str]:
    """Return the references of a program's matrices whose columns lie over the banks of DRAM."""
    consts = [node.op for node in graph.nodes if isinstance(node.op, Const)]
    return frozenset(op.ref for op in consts if isinstance(op.type, Spec) and op.type.rank == 2 and in_banks(op.type))


def laid(graph: Graph, target: Target, banks: AbstractSet[str]) -> Graph:
    """Place weights over the banks of DRAM, and state blocks for the products that read them.

        %w: bf16[512,512] tile dram = const(ref="w")      %w: .. tile dram width_sharded 12x1 of 512x64 = ..
        %y = ttnn.linear(%x, %w, core_grid=GRID)      ->  %y = ttnn.linear(%x, %w, program_config=..)

    Weights that other calls read too stay as they are, at the price of a copy of their own.
    """
    lone = lone_constants(graph)
    products: dict[Value, Linear] = {}
    for node in graph.nodes:
        match node.op:
            case Linear(input_tensor_b=Value(op=Const(ref=ref)) as weight) if ref in banks and weight in lone:
                if blocks := _in_blocks(node.op, target):
                    products[weight] = blocks
    builder = Builder(graph.weights)

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...]:
        op = node.op
        if isinstance(op, Linear):
            op = products.get(op.input_tensor_b, op)
        elif isinstance(op, Const) and node.results[0] in products:
            spec = spec_of(node.results[0])
            op = replace(op, type=replace(spec, memory=bank_shards(spec, target.dram_banks)))
        return builder.again(node, op.with_operands(new.__getitem__))

    return rebuilt(graph, builder, new_results)


def _in_blocks(call: Linear, target: Target) -> Linear | None:
    """Return a product in blocks, as large as half of L1 takes; None if no config can state the product."""
    if call.input_tensor_b.type.rank != 2 or call.transpose_a or call.transpose_b or call.program_config is not None:
        return None
    (rows, inner), columns = matrix_tiles(spec_of(call.input_tensor_a)), matrix_tiles(call.infer())[1]
    grid = min(target.grid[0], columns), min(target.grid[1], rows)
    whole = by_blocks(grid, rows, inner, columns, FUSED[call.activation] if call.activation else None)
    config = fastest(call, whole, (l1_bank(target) - HEADROOM) // 2, target)
    return config and by_config(call, config)
