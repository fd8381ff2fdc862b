"""Passes over the bodies of loops: a pass over the program runs inside the bodies first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ttc.ir import Graph, Node, Value, with_bodies


def in_bodies(graph: Graph, step: Callable[[Graph], Graph]) -> Graph:
    """Return the program with `step` done to the body of each loop; the same graph if `step` changes nothing."""
    new: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        op = with_bodies(node.op, step).with_operands(lambda value: new.get(value, value))
        if op is not node.op:
            results = tuple(replace(value, op=op) for value in node.results)
            new.update(zip(node.results, results, strict=True))
            node = Node(op, results)
        nodes.append(node)
    if not new:
        return graph
    outputs = tuple((name, new.get(value, value)) for name, value in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)
