"""Timeline of a run: each call in the order in which it runs, loops step by step, with its seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ttc.analysis.cost import Cost, cost
from ttc.analysis.liveness import Liveness
from ttc.calls.call import Call
from ttc.calls.host import HostOp
from ttc.calls.layout import Deallocate
from ttc.calls.loop import Loop
from ttc.calls.target import Target
from ttc.ir import Graph, Node

Turns = tuple[tuple[str, int], ...]
"""The loops around a call, outermost first, each by name with the number of its step."""


@dataclass(frozen=True)
class Moment:
    """A call at one time of a run: from `start` on, `seconds` long, both measured or both predicted."""

    node: Node
    turns: Turns
    cost: Cost
    start: float
    seconds: float
    measured: bool


def timeline(graph: Graph, target: Target, measured: Sequence[float] | None = None) -> list[Moment]:
    """List the calls of one run; those of the set-up are left out.

    `measured` are the seconds of each call that runs on the card, in order; else they are predicted, and what the host
    does takes no time.
    """
    moments: list[Moment] = []
    clock, given = 0.0, iter(measured or ())
    for node, turns, predicted in _unrolled(graph, target):
        timed = measured is not None and not isinstance(node.op, HostOp)
        seconds = next(given) if timed else predicted.seconds
        moments.append(Moment(node, turns, predicted, clock, seconds, timed))
        clock += seconds
    return moments


def _unrolled(graph: Graph, target: Target) -> Iterator[tuple[Node, Turns, Cost]]:
    """Yield every call of a run with the loops around it and the cost of that one time."""
    liveness = Liveness(graph)
    for node in graph.nodes:
        match node.op:
            case Loop() as loop:
                body = list(_unrolled(loop.body, target))
                name = node.results[0].name
                for turn in range(loop.count):
                    yield from ((inner, ((name, turn), *inside), price) for inner, inside, price in body)
            case Call() if not isinstance(node.op, Deallocate) and not liveness.kept(node.results[0]):
                yield node, (), cost(node, target)
