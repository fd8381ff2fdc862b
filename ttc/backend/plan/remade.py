"""Programs whose values lie in other memories: calls state these anew, and readers follow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ttc.calls.call import Call, spec_of
from ttc.errors import TtcError
from ttc.ir import DRAM, L1, Graph, MemoryConfig, Node, Op, Spec, Value


def inferred(call: Op) -> tuple[Spec, ...]:
    """Return the specs of a call's results; none where TTNN refuses the call."""
    try:
        return _specs(call)
    except TtcError:
        return ()


def stating(call: Op, memory: MemoryConfig) -> Any:
    """Return a call that states the memory of its results."""
    return replace(call, memory_config=memory)  # type: ignore[call-arg]


def with_l1(graph: Graph, candidates: Collection[int], chosen: Collection[int]) -> Graph:
    """Return the program with the results of the chosen calls in L1, of other candidates in DRAM, all else as it was.

    Both are given by position. Memory is stated only where TTNN's own default would be another; views follow the
    viewed buffer.
    """
    new: dict[Value, Value] = {}
    nodes: list[Node] = []
    for position, node in enumerate(graph.nodes):
        op = node.op.with_operands(lambda value: new.get(value, value))
        memory = standing_memory(node, op)
        if position in candidates:
            memory = L1 if position in chosen else DRAM
        nodes.append(remade(node, op, memory))
        new.update(zip(node.results, nodes[-1].results, strict=True))
    if all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
        return graph
    outputs = tuple((name, new[value]) for name, value in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


def standing_memory(node: Node, op: Op) -> MemoryConfig | None:
    """Return the memory that the result of a node with new operands stays in; None for views, and unchanged nodes."""
    changed = op is not node.op and isinstance(op, Call) and node.results and op.alias_of(0) is None
    return spec_of(node.results[0]).memory if changed else None


def remade(node: Node, op: Op, memory: MemoryConfig | None) -> Node:
    """Return a node with new operands, its results in `memory` if given; the same node if nothing changes."""
    types = _specs(op)
    if memory is not None and any(spec.memory != memory for spec in types):
        op = stating(op, memory)
        types = _specs(op)
    if op is node.op:
        return node
    old = node.results
    return Node(op, tuple(Value(op, t, v.name, v.index, v.location) for t, v in zip(types, old, strict=True)))


def _specs(op: Op) -> tuple[Any, ...]:
    types: Any = op.result_types()  # of calls they are specs
    return types
