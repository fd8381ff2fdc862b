"""Rewriting: a program is rebuilt node by node, and rules say what to build instead.

A rule is a function `(op, builder) -> Value | tuple | None`. The op already has the rebuilt operands, so a `match`
looks up through producers that earlier rules have rewritten; None keeps the op unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ttc.errors import TypeRuleError
from ttc.ir.builder import Builder
from ttc.ir.graph import Graph, Node, Op, Value
from ttc.ir.loop import bodies, with_bodies
from ttc.ir.rules import Rule, Rules, answer


def rewrite(graph: Graph, *rules: Rule, normal: Rules | None = None) -> Graph:
    """Rebuild `graph`, offering every op to each rule in turn; the first that answers wins.

    A new value has the name and location of the value that it replaces, and is put into normal form by the rules
    `normal`. Without rules, rewriting shares equal ops and drops dead ones. Unchanged nodes stay the same objects.
    Bodies of loops are rewritten likewise, before the loop itself is offered.
    """
    offers = Rules(*rules)
    builder = Builder.over(graph, normal)
    same = graph.shared  # so far: then there is nothing to share, and rules alone change something
    kept = 0  # nodes that the builder has
    new = _Changed()
    for position, node in enumerate(graph.nodes):
        held = bodies(node.op)
        if same and builder.is_normal(node.op) and not offers.of(node.op) and not held:
            continue
        if same:
            builder.keep_all(graph.nodes[kept:position])
            kept = position
        op = with_bodies(node.op, lambda body: rewrite(body, *rules, normal=normal)) if held else node.op
        op = op if new.keys().isdisjoint(op.operands()) else op.with_operands(new.__getitem__, alike=True)
        results = _answered(op, node, offers, builder)
        if same and op is node.op and not results and not (results := builder.normal_form(op)):
            continue
        same = False
        new.note(node, results or builder.again(node, op), builder)
    if same:
        return graph
    return settled(graph, builder.finish((name, new[value]) for name, value in graph.outputs))


class _Changed(dict[Value, Value]):
    """The new values of those that changed; any other value is itself."""

    def __missing__(self, value: Value) -> Value:
        return value

    def note(self, node: Node, results: tuple[Value, ...], builder: Builder) -> None:
        """Let `results` stand for those of a node; TypeRuleError if their types are others."""
        for old, value in zip(node.results, results, strict=True):
            if value is old:
                continue
            if value.type != old.type:
                raise TypeRuleError(f"rewriting {node.op.mnemonic} changed %{old.name} from {old.type} to {value.type}")
            self[old] = value
            builder.uses[value] += builder.uses[old]


def _answered(op: Op, node: Node, offers: Rules, builder: Builder) -> tuple[Value, ...]:
    """Return the answer of a rule for `op`, which stands for a node's op; () and no debris if no rule answers."""
    builder.at(node.results, op)
    before = builder.mark()
    results = answer(op, offers, builder)
    if not results:
        builder.undo(before)
    return results


def rebuilt(
    graph: Graph,
    builder: Builder,
    new_results: Callable[[Node, Mapping[Value, Value]], tuple[Value, ...] | None],
    nodes: Iterable[Node] | None = None,
) -> Graph:
    """Rebuild a graph by decisions made on the graph as it was; the rules of `rewrite` see the new graph alone.

    `new_results(node, new)` gives the values in place of a node's results, where `new` maps the values rebuilt before;
    None keeps the node's op, over its new operands, and () leaves the node out: nothing that is rebuilt reads its
    results. `nodes` are the graph's in another order.
    """
    new: dict[Value, Value] = {}
    for node in graph.nodes if nodes is None else nodes:
        builder.at(node.results)
        results = new_results(node, new)
        if results is None:
            results = builder.again(node, node.op.with_operands(new.__getitem__))
        if results:
            new.update(zip(node.results, results, strict=True))
    return settled(graph, builder.finish((name, new[value]) for name, value in graph.outputs))


def settled(before: Graph, after: Graph) -> Graph:
    """Return `before` itself if `after` has the very same nodes and outputs: the sign that a pass changed nothing."""
    if len(before.nodes) != len(after.nodes) or before.outputs != after.outputs:
        return after
    return before if all(a is b for a, b in zip(before.nodes, after.nodes, strict=True)) else after
