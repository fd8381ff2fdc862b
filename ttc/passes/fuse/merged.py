"""Linears of one value made one product, with parts of that in place of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ttc import ops
from ttc.ir import Builder, Graph, Node, Value, operands_first, rebuilt
from ttc.ops.expr import Expr, apply, concat
from ttc.passes.normal import builder_for

Group = tuple[Node, ...]
"""Linears of one x without activation, with weights that are constants, and a bias in all or in none."""

Part = Callable[[Group, int, Expr], Expr]
"""Builds the result of one member of a group, by its place there, of the group's product [.., N0 + N1 + ..]."""


def merged(graph: Graph, groups: Sequence[Group], part: Part) -> Graph:
    """Return the graph with one linear for each group, and parts of the product in place of the members' results."""
    of = {node.results[0]: group for group in groups for node in group}
    if not of:
        return graph
    builder = builder_for(graph)

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...] | None:
        group = of.get(node.results[0]) if node.results else None
        return (part(group, group.index(node), _product(group, new, builder)).value,) if group else None

    return rebuilt(graph, builder, new_results, _weights_first(graph, of))


def widths(group: Group) -> list[int]:
    """Return how many columns each member of a group has."""
    return [op.w.shape[0] for op in _linears(group)]


def _linears(group: Group) -> list[ops.Linear]:
    return [node.op for node in group if isinstance(node.op, ops.Linear)]


def _weights_first(graph: Graph, of: dict[Value, Group]) -> list[Node]:
    """Order the nodes so that all weights of a group come before the group's first member."""
    producer = {value: node for node in graph.nodes for value in node.results}
    order: dict[int, Node] = {}

    for node in graph.nodes:
        group = of.get(node.results[0], ()) if node.results else ()
        needed = (value for member in group for value in member.op.operands())
        for value in operands_first(needed, lambda value: id(producer[value]) not in order):
            order[id(producer[value])] = producer[value]
        order.setdefault(id(node), node)
    return list(order.values())


def _product(group: Group, new: Mapping[Value, Value], builder: Builder) -> Expr:
    """Build x @ [w0; w1; ..].T + [b0; b1; ..] = [x @ w0.T + b0, x @ w1.T + b1, ..]."""
    linears = _linears(group)
    w = concat([Expr(new[op.w], builder) for op in linears], 0)
    biases = [Expr(new[op.bias], builder) for op in linears if op.bias is not None]
    return apply(ops.Linear, Expr(new[linears[0].x], builder), w, concat(biases, 0) if biases else None)
