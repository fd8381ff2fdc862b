"""Loops: a body that is a program of its own, and the step number that its calls may depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ttc.ir.graph import Graph, Op


@dataclass(frozen=True)
class Step:
    """Host integer that follows a loop's step number t: scale * t + offset."""

    scale: int = 1
    offset: int = 0

    def at(self, step: int) -> int:
        """Return the integer at one step."""
        return self.scale * step + self.offset

    def __add__(self, number: int) -> Step:
        return replace(self, offset=self.offset + number)

    def __str__(self) -> str:
        """Return the Python expression of a step number called `t`."""
        if self.scale == -1:
            return f"{self.offset} - t"
        scaled = "t" if self.scale == 1 else f"{self.scale} * t"
        return f"{scaled} + {self.offset}" if self.offset else scaled


FORWARD = Step()


def backward(count: int) -> Step:
    """Return the steps of a loop of `count` in reverse order."""
    return Step(-1, count - 1)


@dataclass(frozen=True)
class Body(Graph):
    """Body of a loop: it reads only its own inputs, whose buffers belong to the program around the loop."""

    @staticmethod
    def of(graph: Graph) -> Body:
        """Return a graph as a body."""
        return graph if isinstance(graph, Body) else Body(graph.nodes, graph.outputs, graph.weights)


def bodies(op: Op) -> tuple[Body, ...]:
    """Return the bodies that an op holds; () for all ops but loops."""
    body = getattr(op, "body", None)
    return (body,) if isinstance(body, Body) else ()


def with_bodies(op: Op, new: Callable[[Graph], Graph]) -> Op:
    """Return the op with each body replaced by `new(body)`; this very op if no body changes."""
    for body in bodies(op):
        after = new(body)
        return op if after is body else replace(op, body=Body.of(after))  # type: ignore[type-var]
    return op
