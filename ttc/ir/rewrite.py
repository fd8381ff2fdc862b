"""Rewriting: a program is rebuilt node by node, and rules say what to build instead.

A rule is a function `(op, builder) -> Value | tuple | None`. Its op already has the rebuilt operands, so
a `match` looks up through producers that earlier rules have rewritten; None keeps the op as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from ttc.errors import TypeRuleError
from ttc.ir.graph import Builder, Graph, Op, Value

Rule = Callable[[Op, Builder], "Value | tuple[Value, ...] | None"]


def rewrite(graph: Graph, *rules: Rule) -> Graph:
    """Rebuild `graph`, offering every op to each rule in turn; the first that answers wins.

    What a rule builds is named after what it replaces. With no rules this shares equal ops and drops
    dead ones.
    """
    builder = Builder(graph.weights)
    uses = graph.uses()
    new: dict[Value, Value] = {}
    for node in graph.nodes:
        op = node.op.with_operands(new.__getitem__)
        names = tuple(value.name for value in node.results)
        builder.hint = names[0] if names else ""
        results = _first_answer(op, rules, builder) or builder.add(op, names)
        for old, value in zip(node.results, results, strict=True):
            if value.type != old.type:
                raise TypeRuleError(f"rewriting {op.mnemonic} changed %{old.name} from {old.type} to {value.type}")
            new[old] = value
            builder.uses[value] += uses[old]
    return builder.finish((name, new[value]) for name, value in graph.outputs)


def _first_answer(op: Op, rules: tuple[Rule, ...], builder: Builder) -> tuple[Value, ...]:
    for rule in rules:
        answer = rule(op, builder)
        if answer is not None:
            return answer if isinstance(answer, tuple) else (answer,)
    return ()
