"""The normal form that every pass leaves behind: folded, simplified, shared, without dead ops."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ttc.ir import Builder, Graph, Op, Rule, Rules, Value, rewrite
from ttc.ops import fold
from ttc.ops.expr import Expr
from ttc.passes.simplify.empty import simplify_empty
from ttc.passes.simplify.index import simplify_index
from ttc.passes.simplify.shape import simplify_shape
from ttc.passes.simplify.value import simplify_value

NORMAL = Rules(simplify_empty, fold, simplify_shape, simplify_index, simplify_value)
"""Rules for single ops; a builder that has these rules applies them to every op added."""


Answer = Value | Expr | tuple[Value | Expr, ...] | None


def rebuild(graph: Graph, *rules: Callable[[Any, Builder], Answer]) -> Graph:
    """Rewrite a graph by rules, with the results in normal form, so that no pass needs another to clean up.

    Rules may answer with expressions.
    """
    return rewrite(graph, *map(_with_values, rules), normal=NORMAL)


def _with_values(rule: Callable[[Any, Builder], Answer]) -> Rule:
    """Wrap a rule so that values take the place of expressions in the rule's answers."""

    @wraps(rule)
    def answer(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
        found = rule(op, builder)
        return tuple(map(_value, found)) if isinstance(found, tuple) else None if found is None else _value(found)

    return answer


def _value(found: Value | Expr) -> Value:
    """Return the value of an expression, or the value given."""
    return found.value if isinstance(found, Expr) else found


def builder_for(graph: Graph) -> Builder:
    """Make an empty builder over the weights of `graph` that keeps the program in normal form."""
    return Builder.over(graph, NORMAL)
