"""The pass that brings a graph into normal form, by identities of arithmetic and of data movement."""

from __future__ import annotations

from ttc.ir import Graph
from ttc.passes.normal import rebuild


def simplify(graph: Graph) -> Graph:
    """Drop ops that do nothing, merge ops that are one step, and write the others in one canonical way.

    One walk is enough: a new op is simplified as it is built, over operands that are already simple.

    Before:
        %a: f32[4,8] = permute(x=%x, dims=[1, 0])
        %b: f32[8,4] = permute(x=%a, dims=[1, 0])
        %y: f32[8,4] = add(a=%zero, b=%b)
    After:
        return "y"=%x
    """
    return rebuild(graph)
