"""Deallocation: every buffer of a run is freed after its last use."""

from __future__ import annotations

from dataclasses import replace

from ttc.analysis.liveness import Liveness
from ttc.backend.plan.bodies import in_bodies
from ttc.calls.layout import Deallocate
from ttc.calls.target import Target
from ttc.ir import Graph, Node


def deallocate_after_last_use(graph: Graph, target: Target) -> Graph:
    """Insert `ttnn.deallocate` after the last use of each buffer; views keep their buffer.

        %a = ttnn.relu(%x)              %a = ttnn.relu(%x)
        %b = ttnn.relu(%a)       ->     ttnn.deallocate(%x)
        return "y"=%b                   %b = ttnn.relu(%a)
                                        ttnn.deallocate(%a)
                                        return "y"=%b

    Inputs are freed too, as each run uploads its own; buffers that are kept from run to run and buffers of outputs
    stay. A step of a loop frees its own buffers, and none of the loop's operands.
    """
    graph = in_bodies(graph, lambda body: deallocate_after_last_use(body, target))
    liveness = Liveness(graph)
    ends: dict[int, list[Node]] = {}
    for life in liveness.lives:
        if life.kept or life.output:
            continue
        ends.setdefault(life.end, []).append(Node(Deallocate(life.value), ()))
    nodes: list[Node] = []
    for position, node in enumerate(graph.nodes):
        if not isinstance(node.op, Deallocate):
            nodes.append(node)
        nodes += ends.get(position, ())
    after = replace(graph, nodes=tuple(nodes))
    return graph if after.nodes == graph.nodes else after
