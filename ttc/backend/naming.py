"""Names of calls: the main call of an op has the op's name, and the others are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from ttc.analysis.cost.price import tile_products
from ttc.calls.call import Call
from ttc.calls.loop import Loop
from ttc.ir import Graph, Node, Value

Group = tuple[Value, ...]
"""The results of one op, for which calls stand."""


def named_after_ops(graph: Graph, stands_for: Mapping[Value, Group]) -> tuple[Graph, dict[Value, Value]]:
    """Give the names of ops to their main calls; return the program and the new value for each old one.

    %attention: ... = ttnn.pad(%q)                 %attention_0: ... = ttnn.pad(%q)
    %attention_0: ... = ttnn.pad(%k)           ->  %attention_1: ... = ttnn.pad(%k)
    %attention_1: ... = ttnn.sdpa(...)             %attention: ... = ttnn.sdpa(...)
    %attention_2: ... = ttnn.slice(%attention_1)   %attention_2: ... = ttnn.slice(%attention)
    """
    groups: dict[Group, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Call) and node.results and node.results[0] in stands_for:
            groups.setdefault(stands_for[node.results[0]], []).append(node)
    mains = {group: main_call(nodes) for group, nodes in groups.items()}
    return _renamed(graph, _names(graph, groups, mains))


def main_call(nodes: list[Node]) -> Node:
    """Return the call that computes most of those that do more than move elements; of equals the last.

    Products on the matrix engine count before elements, and neither depends on a card or on how calls are priced.
    """
    working = [node for node in nodes if isinstance(node.op, Call) and not node.op.moves]
    if len(working) < 2:
        return working[0] if working else nodes[-1]
    return max(reversed(working), key=_computed)


def _computed(node: Node) -> tuple[int, int]:
    """Return a call's products of tiles, and the elements of its largest tensor; of a loop, those of all its steps."""
    assert isinstance(node.op, Call)
    if isinstance(node.op, Loop):
        steps = [_computed(inner) for inner in node.op.body.nodes if isinstance(inner.op, Call)]
        products, elements = zip(*steps, strict=True)
        return node.op.count * sum(products), node.op.count * sum(elements)
    return tile_products(node.op), max(value.type.numel for value in (*node.op.operands(), *node.results))


def _names(graph: Graph, groups: Mapping[Group, list[Node]], mains: Mapping[Group, Node]) -> dict[Value, str]:
    """Choose a name for each result of the groups: the op's for the main call, the others numbered, no name twice."""
    grouped = {value for nodes in groups.values() for node in nodes for value in node.results}
    taken = {value.name for value in graph.values() if value not in grouped}
    wanted = {v: r.name for group, main in mains.items() for v, r in zip(main.results, group, strict=False)}
    names: dict[Value, str] = {}
    for value, name in wanted.items():
        names[value] = name if name not in taken else _numbered(name, taken)
        taken.add(names[value])
    for group, nodes in groups.items():
        for value in (value for node in nodes for value in node.results if value not in names):
            names[value] = _numbered(group[0].name, taken)
            taken.add(names[value])
    return names


def _numbered(name: str, taken: set[str]) -> str:
    return next(new for number in count() if (new := f"{name}_{number}") not in taken)


def _renamed(graph: Graph, names: Mapping[Value, str]) -> tuple[Graph, dict[Value, Value]]:
    new: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        op = node.op.with_operands(lambda value: new.get(value, value), alike=True)
        results = tuple(replace(value, op=op, name=names.get(value, value.name)) for value in node.results)
        new.update(zip(node.results, results, strict=True))
        nodes.append(Node(op, results))
    outputs = tuple((name, new[value]) for name, value in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs), new
