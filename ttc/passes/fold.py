"""Constant folding."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Graph, rewrite


def fold(graph: Graph) -> Graph:
    """Evaluate values that depend on literals alone, up to 1 MB; weights do not count as known.

    Before:
        %a: i64[2] = literal(data=[1, 2])
        %b: i64[2] = add(a=%a, b=%a)
    After:
        %b: i64[2] = literal(data=[2, 4])
    """
    return rewrite(graph, normal=ops.FOLDED)
