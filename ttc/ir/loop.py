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
class Spelled:
    """Python expression of an integer that follows a loop's step number."""

    text: str

    def __add__(self, number: int) -> Spelled:
        return Spelled(f"{self.text} + {number}")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Window:
    """Rows viewed together: `length` of `count`, from a multiple of `period` on, the last as far as the end allows."""

    period: int
    length: int
    count: int

    def start(self, row: int | Step) -> int | Spelled:
        """Return the first row of the window in which a row lies; of a step's row as an expression."""
        last = self.count - self.length
        if isinstance(row, int):
            return min(row // self.period * self.period, last)
        return Spelled(f"min(({row}) // {self.period} * {self.period}, {last})")

    def place(self, row: int | Step) -> int | Spelled:
        """Return the place of a row in that window."""
        if isinstance(row, int):
            return row - min(row // self.period * self.period, self.count - self.length)
        return Spelled(f"{row} - {self.start(row)}")


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
