"""Loops: a body that is a program of its own, and the step number that its calls may depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ttc.ir.graph import Graph, Op


@dataclass(frozen=True)
class Step:
    """A host integer that follows a loop's step number t: scale * t + offset."""

    scale: int = 1
    offset: int = 0

    def at(self, step: int) -> int:
        """Its number at one step."""
        return self.scale * step + self.offset

    def __add__(self, number: int) -> Step:
        return replace(self, offset=self.offset + number)

    def __str__(self) -> str:
        """As Python writes it, of a step number called `t`."""
        if self.scale == -1:
            return f"{self.offset} - t"
        scaled = "t" if self.scale == 1 else f"{self.scale} * t"
        return f"{scaled} + {self.offset}" if self.offset else scaled


FORWARD = Step()


def backward(count: int) -> Step:
    """The steps of a loop of `count` in reverse order."""
    return Step(-1, count - 1)


@dataclass(frozen=True)
class Body(Graph):
    """What a loop does in each step: it reads its own inputs alone, whose buffers belong to the program around it."""

    @staticmethod
    def of(graph: Graph) -> Body:
        """A graph as a body."""
        return graph if isinstance(graph, Body) else Body(graph.nodes, graph.outputs, graph.weights)


def bodies(op: Op) -> tuple[Body, ...]:
    """The bodies that an op holds; () for all but loops."""
    body = getattr(op, "body", None)
    return (body,) if isinstance(body, Body) else ()


def with_bodies(op: Op, new: Callable[[Graph], Graph]) -> Op:
    """The op with each body replaced by `new(body)`; this very op if that changes nothing."""
    for body in bodies(op):
        after = new(body)
        return op if after is body else replace(op, body=Body.of(after))  # type: ignore[type-var]
    return op
