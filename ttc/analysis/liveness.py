"""Live ranges of a program's buffers: from the call that makes a buffer to the last that reads it or a view of it."""

from __future__ import annotations

from dataclasses import dataclass

from ttc.calls.call import Call, spec_of
from ttc.calls.layout import Deallocate
from ttc.ir import Body, Buffer, Const, Graph, Input, Op, Value


@dataclass(frozen=True)
class Life:
    """A buffer, known by the value that it was made for, and its live range: the first and the last node.

    Inputs and buffers that are kept from run to run are live from the start; kept buffers and buffers of outputs
    until after the last node. `reads` counts the operands that read the buffer or a view of it. The buffers of states
    are live all the time and count as outputs: what a run takes may be what the run leaves.
    """

    value: Value
    start: int
    end: int
    reads: int
    kept: bool
    output: bool


class Liveness:
    """Live ranges of a program's device buffers, in the order of their creation; `Deallocate` does not count as a use.

    Kept are constants and values that depend on constants alone, as these are computed once; but not values in L1,
    whose room is planned for one run. A buffer that only kept values read is gone before the first run, and has no
    live range. In the body of a loop only the inputs are kept: their buffers belong to the program around the loop.
    """

    def __init__(self, graph: Graph):
        self._in_body = isinstance(graph, Body)
        self._base: dict[Value, Value] = {}
        self._kept: set[Value] = set()
        start: dict[Value, int] = {}
        end: dict[Value, int] = {}
        reads: dict[Value, int] = {}
        used: set[Value] = set()
        for position, node in enumerate(graph.nodes):
            if isinstance(node.op, Deallocate):
                continue
            kept = self._is_kept(node.op, node.results)
            for operand in node.op.operands():
                base = self._base[operand]
                end[base], reads[base] = position, reads[base] + 1
                if not kept:
                    used.add(base)
            for value in node.results:
                viewed = node.op.alias_of(value.index) if isinstance(node.op, Call) else None
                self._base[value] = value if viewed is None else self._base[viewed]
                if kept:
                    self._kept.add(value)
                if viewed is None:
                    start[value], end[value], reads[value] = position, position, 0
        outputs = {self._base[value] for _, value in graph.outputs}
        outputs.update(graph.states.values())
        self.lives = tuple(
            Life(
                value,
                0 if isinstance(value.op, Input) or value in self._kept else first,
                len(graph.nodes) if value in outputs or value in self._kept else end[value],
                reads[value],
                value in self._kept,
                value in outputs,
            )
            for value, first in start.items()
            if spec_of(value).memory.buffer is not Buffer.HOST
            and (value not in self._kept or value in used or value in outputs)
        )

    def base(self, value: Value) -> Value:
        """Return the value whose buffer `value` lies in: `value` itself unless it is a view."""
        return self._base[value]

    def kept(self, value: Value) -> bool:
        """Return whether `value` stays from run to run."""
        return value in self._kept

    def _is_kept(self, op: Op, results: tuple[Value, ...]) -> bool:
        if self._in_body:
            return isinstance(op, Input)
        if isinstance(op, Const):
            return True
        if isinstance(op, Input) or op.effect or not self._kept.issuperset(op.operands()):
            return False
        return all(spec_of(value).memory.buffer is not Buffer.L1 for value in results)
