"""The normal form that every pass leaves behind: folded, simplified, shared, nothing dead."""

from __future__ import annotations

from ttc.ir import Builder, Graph, Rule, rewrite
from ttc.ops import fold
from ttc.passes.simplify_empty import simplify_empty
from ttc.passes.simplify_index import simplify_index
from ttc.passes.simplify_shape import simplify_shape
from ttc.passes.simplify_value import simplify_value

NORMAL: tuple[Rule, ...] = (simplify_empty, fold, simplify_shape, simplify_index, simplify_value)
"""Rules for single ops; a builder that has them applies them to whatever it is given."""


def rebuild(graph: Graph, *rules: Rule) -> Graph:
    """`rewrite`, its results in normal form: so no pass needs another to clean up after it."""
    return rewrite(graph, *rules, normal=NORMAL)


def builder_for(graph: Graph) -> Builder:
    """An empty builder over the weights of `graph` that keeps its program in normal form."""
    return Builder(graph.weights, NORMAL)
