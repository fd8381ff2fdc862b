"""Common subexpressions."""

from __future__ import annotations

from ttc.ir import Graph, rewrite


def share(graph: Graph) -> Graph:
    """Makes equal ops one, and drops dead ones.

    Rebuilding is enough: programs are straight-line and pure, operands are rebuilt first, and a builder
    answers an op that it has seen with the values it gave then. So equal expressions of any depth meet.

    Before:
        %a: f32[4] = relu(x=%x)
        %b: f32[4] = relu(x=%x)
        %y: f32[4] = add(a=%a, b=%b)
    After:
        %a: f32[4] = relu(x=%x)
        %y: f32[4] = add(a=%a, b=%a)
    """
    return rewrite(graph)
