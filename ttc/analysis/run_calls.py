"""Calls of one run in order, each with its predicted cost and the L1 in use meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ttc.analysis.cost import Cost, cost
from ttc.analysis.liveness import Liveness
from ttc.analysis.residency import Replay, replay, schedule
from ttc.calls.call import Call, spec_of
from ttc.calls.layout import Deallocate
from ttc.calls.loop import Loop
from ttc.calls.target import Target
from ttc.ir import Graph, Node


@dataclass(frozen=True)
class RunCall:
    """A call of a run: its node, its cost, and the bytes of L1 per core in use meanwhile, circular buffers included.

    `loops` are the names of the loops around the call, outermost first; the call has a name within the innermost.
    """

    node: Node
    cost: Cost
    l1_per_core: int
    loops: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """Return the place in the model that the call comes from; "" where nobody knows."""
        return self.node.results[0].location

    def to_dict(self) -> dict[str, Any]:
        """Return the call as JSON values."""
        specs = map(spec_of, self.node.results)
        return {
            "names": [value.name for value in self.node.results],
            "loops": list(self.loops),
            "times": self.cost.times,
            "call": self.node.op.mnemonic,
            "outputs": [
                {
                    "shape": list(spec.shape),
                    "dtype": str(spec.dtype),
                    "layout": spec.layout.value,
                    "memory": str(spec.memory),
                }
                for spec in specs
            ],
            "device_programs": self.cost.programs,
            "cores": self.cost.cores,
            "dram_bytes": self.cost.dram_bytes,
            "l1_bytes": self.cost.l1_bytes,
            "l1_per_core": self.l1_per_core,
            "predicted_seconds": self.cost.seconds,
            "bound": self.cost.bound or None,
            "location": self.location,
        }


def run_calls(graph: Graph, target: Target, replayed: Replay | None = None) -> Iterator[RunCall]:
    """Yield the calls of one run in order; a loop stands for the calls of its body.

    Calls that run once, before the first run, are left out. `replayed` is the graph's replay, where known.
    """
    in_use = (replayed or replay(schedule(graph, target), target)).in_use
    liveness = Liveness(graph)
    for node, l1 in zip(graph.nodes, in_use, strict=True):
        match node.op:
            case Loop():
                yield from _steps(node, node.op, l1, target)
            case Call() as call if not isinstance(call, Deallocate) and not liveness.kept(node.results[0]):
                yield RunCall(node, cost(node, target), l1)


def _steps(node: Node, loop: Loop, l1: int, target: Target) -> Iterator[RunCall]:
    """Yield the calls of a loop's body, for all steps; at the fullest of them `l1` bytes are in use."""
    replayed = replay(schedule(loop.body, target), target)
    around, name = l1 - replayed.peak, node.results[0].name
    for inner in run_calls(loop.body, target, replayed):
        yield RunCall(inner.node, inner.cost.repeated(loop.count), around + inner.l1_per_core, (name, *inner.loops))
