"""Rewriting: a program is rebuilt node by node, and rules say what to build instead.

A rule is a function `(op, builder) -> Value | tuple | None`. The op already has the rebuilt operands, so a `match`
looks up through producers that earlier rules have rewritten; None keeps the op unchanged.
"""

from __future__ import annotations

from ttc.errors import TypeRuleError
from ttc.ir.graph import Builder, Graph, Rule, Value, answer
from ttc.ir.loop import with_bodies


def rewrite(graph: Graph, *rules: Rule, normal: tuple[Rule, ...] = ()) -> Graph:
    """Rebuild `graph`, offering every op to each rule in turn; the first that answers wins.

    A new value has the name and location of the value that it replaces, and is put into normal form by the rules
    `normal`. Without rules, rewriting shares equal ops and drops dead ones. Unchanged nodes stay the same objects.
    Bodies of loops are rewritten likewise, before the loop itself is offered.
    """
    builder = Builder(graph.weights, normal)
    uses = graph.uses()
    new: dict[Value, Value] = {}
    for node in graph.nodes:
        op = with_bodies(node.op, lambda body: rewrite(body, *rules, normal=normal)).with_operands(new.__getitem__)
        builder.at(node.results, op)
        before = builder.mark()
        results = answer(op, rules, builder)
        if not results:
            builder.undo(before)
            results = builder.again(node, op)
        for old, value in zip(node.results, results, strict=True):
            if value is not old and value.type != old.type:
                raise TypeRuleError(f"rewriting {op.mnemonic} changed %{old.name} from {old.type} to {value.type}")
            new[old] = value
            builder.uses[value] += uses[old]
    after = builder.finish((name, new[value]) for name, value in graph.outputs)
    return settled(graph, after)


def settled(before: Graph, after: Graph) -> Graph:
    """Return `before` itself if `after` has the very same nodes and outputs: the sign that a pass changed nothing."""
    if len(before.nodes) != len(after.nodes) or before.outputs != after.outputs:
        return after
    return before if all(a is b for a, b in zip(before.nodes, after.nodes, strict=True)) else after
