"""Sharding: values that stay in shards between the calls that work on shards."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from ttc.analysis.residency import HEADROOM, l1_bank, replay, schedule
from ttc.backend.plan.sharding.banks import laid, lines_of
from ttc.backend.plan.sharding.forms import averaged, over_banks, stated, tensors
from ttc.backend.plan.sharding.layouts import grids_of
from ttc.backend.plan.sharding.price import Prices
from ttc.backend.plan.sharding.search import Step, cheapest
from ttc.calls.call import Call, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.shards import is_sharded
from ttc.calls.target import Target
from ttc.ir import DRAM, Builder, Const, Graph, MemoryConfig, Value


def shard(graph: Graph, target: Target, banks: AbstractSet[str] | None = None) -> Graph:
    """Choose the form of each call on shards, so that the program as a whole takes the least predicted time.

        %a: bf16[1,1,3136,64] tile dram = ttnn.conv2d(..)      %a: .. l1 height_sharded 7x7 of 64x64 = ttnn.conv2d(..)
        %b: bf16[1,1,3136,64] tile dram = ttnn.conv2d(.., %a)  %b: .. tile dram = ttnn.conv2d(.., %a)

    A convolution works on shards whatever its operand's memory is; interleaved operands and results are converted.
    A program whose calls state shards is left as it is: its forms are chosen.

    `banks` are the references of the weights that lie over the banks of DRAM, as another program that shares them has
    decided; without, this program decides.
    """
    graph = graph if banks is None else laid(graph, target, banks)
    formed = [node for node in graph.nodes if isinstance(node.op, Call) and tensors(node.op)]
    specs = [spec_of(value) for node in formed for value in (*tensors(node.op), *node.results)]  # type: ignore[arg-type]
    if any(map(is_sharded, specs)):
        return graph
    prices = Prices(grids_of(specs, target, lines_of(graph, target), averaged(graph)), target)
    before = len(_clashes(graph, target))
    taken: dict[Value, int] = {}
    for _ in range(ATTEMPTS):
        steps = cheapest(graph, prices, taken, new_banks=banks is None)
        sharded, calls = _rebuilt(graph, {step.node.results[0]: step for step in steps}, target)
        clashes = _clashes(sharded, target)
        if len(clashes) <= before:
            return sharded if steps else graph
        for position, missing in clashes.items():
            call = calls[sharded.nodes[position].results[0]]
            taken[call] = taken.get(call, 0) + missing
    return graph


ATTEMPTS = 8
"""Searches at the most: free blocks between buffers may be too small for the next, which the sums do not show."""


def _clashes(graph: Graph, target: Target) -> dict[int, int]:
    """Return the positions of the calls that TTNN's allocator finds no room for, with the bytes that are missing."""
    found = replay(schedule(graph, target), target)
    room = l1_bank(target) - HEADROOM
    return {position: max(HEADROOM, found.in_use[position] - room) for position in found.clashes}


def _rebuilt(graph: Graph, steps: dict[Value, Step], target: Target) -> tuple[Graph, dict[Value, Value]]:
    """Return the program with the decisions made: values moved, calls in their forms, weights prepared for them.

    Beside it, for each new result the result of the call in `graph` that it belongs to.
    """
    builder = Builder(graph.weights)
    placed = _placed(steps, target)
    new: dict[Value, Value] = {}
    calls: dict[Value, Value] = {}
    for node in graph.nodes:
        builder.at(node.results, node.op)
        step = steps.get(node.results[0]) if node.results else None
        for value, memory in step.moves if step else ():
            new[value] = builder(ToMemoryConfig(new[value], memory or DRAM), value.name)
            calls[new[value]] = node.results[0]
        op: Any = node.op.with_operands(new.__getitem__)
        if isinstance(op, Const) and node.results[0] in placed:
            op = replace(op, type=replace(op.type, memory=placed[node.results[0]]))
        if step and step.form:
            op = _formed(op, step, builder)
        made = builder.again(node, op)
        new.update(zip(node.results, made, strict=True))
        calls.update(dict.fromkeys(made, node.results[0]) if made else {})
    return builder.finish((name, new[value]) for name, value in graph.outputs), calls


def _placed(steps: dict[Value, Step], target: Target) -> dict[Value, MemoryConfig]:
    """Return the constants that the decisions lay over the banks of DRAM."""
    found: dict[Value, MemoryConfig] = {}
    for step in steps.values():
        if step.form and step.form.banks:
            found |= {getattr(step.node.op, name): memory for name, memory in over_banks(step.node.op, target).items()}
    return found


def _formed(op: Any, step: Step, builder: Builder) -> Any:
    """Return a call in its form; a convolution's weights are prepared for that form."""
    assert step.form is not None
    formed = stated(op, step.form, tensors(op))
    if not isinstance(formed, Conv2d):
        return formed
    config = formed.conv_config
    shape = {
        name: getattr(config, name)
        for name in ("act_block_h_override", "shard_layout", "override_sharding_config", "core_grid")
    }
    shape["reallocate_halo_output"] = config.reallocate_halo_output
    given = spec_of(formed.input_tensor).memory if step.form.operands[0] else DRAM

    def prepared(value: Value) -> Value:
        preparation: Any = value.op
        config = replace(preparation.conv_config, **shape)
        return builder(replace(preparation, conv_config=config, input_memory_config=given), value.name)

    bias = formed.bias_tensor
    return replace(formed, weight_tensor=prepared(formed.weight_tensor), bias_tensor=bias and prepared(bias))
