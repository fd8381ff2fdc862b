"""The pass for common subexpressions and dead ops."""

from __future__ import annotations

from ttc.ir import Graph, rewrite


def share(graph: Graph) -> Graph:
    """Share equal ops (common subexpressions), and drop dead ops.

    Rebuilding is enough: programs are straight-line and pure, operands are rebuilt first, and a builder
    returns for an op seen before the values made then. So equal expressions of any depth meet.

    Before:
        %a: f32[4] = relu(x=%x)
        %b: f32[4] = relu(x=%x)
        %y: f32[4] = add(a=%a, b=%b)
    After:
        %a: f32[4] = relu(x=%x)
        %y: f32[4] = add(a=%a, b=%a)
    """
    return rewrite(graph)
