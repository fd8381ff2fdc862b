"""Calls of a program in an order that may change: what each needs done before, and the buffers of L1 at each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ttc.analysis.liveness import Liveness
from ttc.analysis.residency import HEADROOM, Moment, l1_bank, live_at_most, schedule
from ttc.backend.plan.holes.blocks import Step
from ttc.calls.call import Call
from ttc.calls.layout import Deallocate
from ttc.calls.target import Target
from ttc.ir import Graph, Node, Value

Order = tuple[int, ...]
"""The nodes of a program, by their places in the program as it came."""


class Calls:
    """The nodes of a program without deallocations; buffers in L1 have numbers from 1 on, in order of their making.

    By node: `work` is the workspace of a call, `made` are the buffers that the node makes, each with its size, `reads`
    those that the node reads, `needs` the nodes that come before in any order. Buffers that are `lasting` never end.
    """

    def __init__(self, graph: Graph, target: Target):
        self._room = l1_bank(target) - HEADROOM
        liveness = Liveness(graph)
        kept = [(node, moment) for node, moment in zip(graph.nodes, schedule(graph, target), strict=True)
                if not isinstance(node.op, Deallocate)]  # fmt: skip
        self.nodes = tuple(node for node, _ in kept)
        self.work = [moment.workspace for _, moment in kept]
        self.values: list[Value] = []
        self.made: list[tuple[tuple[int, int], ...]] = []
        for _, moment in kept:
            first = len(self.values) + 1
            self.made.append(tuple((first + at, size) for at, (_, size) in enumerate(moment.made)))
            self.values += (value for value, _ in moment.made if isinstance(value, Value))
        numbers = {value: number for number, value in enumerate(self.values, 1)}
        lasting = {life.value for life in liveness.lives if life.output}
        self.lasting = {numbers[value] for value in lasting & numbers.keys()}
        self.reads = [
            tuple({numbers[base] for value in node.op.operands() if (base := liveness.base(value)) in numbers})
            for node in self.nodes
        ]
        self.needs = _needs(self.nodes, liveness)

    def steps(self, order: Order) -> tuple[list[Step], int]:
        """Return the calls that L1's buffers depend on, in order, and the most bytes that live at any time.

        Beside those that place buffers, that is those whose circular buffers leave less than these bytes.
        """
        ends, most = self._ends(order), self._most(order)
        steps: list[Step] = []
        for at, index in enumerate(order):
            if self.places(index, most):
                steps.append(self.step(index, at, frozenset(ends.get(at, ()))))
            elif at in ends:  # of buffers that earlier steps have made
                steps[-1] = replace(steps[-1], ends=steps[-1].ends | ends[at])
        return steps, most

    def places(self, index: int, most: int) -> bool:
        """Return whether a node places buffers, or leaves less than `most` bytes beside circular buffers."""
        return bool(self.made[index] or self.work[index].l1) or self._room_at(index) < most

    def step(self, index: int, at: int, ends: frozenset[int]) -> Step:
        """Return a node as a step at a place of an order."""
        work = self.work[index]
        return Step(at, work.l1, work.passing, self.made[index], ends, self._room_at(index))

    def _room_at(self, index: int) -> int:
        """Return the bytes that circular buffers and the head-room leave; all of L1 where results come apart."""
        work = self.work[index]
        return max(0, self._room - (0 if work.apart else work.circular_buffers))

    def _ends(self, order: Order) -> dict[int, set[int]]:
        """Return the buffers that no call reads after a node, by the node's place in an order."""
        last: dict[int, int] = {}
        for at, index in enumerate(order):
            last.update((number, at) for number in (*self.reads[index], *(number for number, _ in self.made[index])))
        ends = defaultdict[int, set[int]](set)
        for number, at in last.items():
            if number not in self.lasting:
                ends[at].add(number)
        return dict(ends)

    def _most(self, order: Order) -> int:
        ends = self._ends(order)
        moments = (Moment(self.work[index], self.made[index], tuple(ends.get(at, ())))
                   for at, index in enumerate(order))  # fmt: skip
        return live_at_most(list(moments))

    def first(self, order: Order, start: int, wanted: int) -> Order:
        """Return the order in which what the node at `wanted` needs comes first, of the nodes from `start` to that.

        What are no calls stays before them.
        """
        needed = set(self.needs[order[wanted]]) | {order[wanted]}
        for at in range(wanted - 1, start - 1, -1):
            if order[at] in needed:
                needed |= self.needs[order[at]]
        part = order[start : wanted + 1]
        given = [index for index in part if not isinstance(self.nodes[index].op, Call)]
        early = [index for index in part if index in needed and index not in given]
        late = [index for index in part if index not in needed and index not in given]
        return (*order[:start], *given, *early, *late, *order[wanted + 1 :])

    def last_reader(self, order: Order, step: Step) -> int:
        """Return where the last node stands that reads a buffer that a step makes; the step's node without one."""
        made = {number for number, _ in step.made}
        return max((at for at, index in enumerate(order) if not made.isdisjoint(self.reads[index])), default=step.node)


def _needs(nodes: Sequence[Node], liveness: Liveness) -> list[frozenset[int]]:
    """List for each node those that must come before: of operands, effects, and readers of what the node overwrites."""
    maker: dict[Value, int] = {}
    touched = defaultdict[Value, set[int]](set)
    needs: list[frozenset[int]] = []
    effect: int | None = None
    for index, node in enumerate(nodes):
        found = {maker[value] for value in node.op.operands()}
        for value in node.op.overwrites():
            found |= touched[liveness.base(value)]
        if node.op.effect:
            found |= set() if effect is None else {effect}
            effect = index
        for value in node.op.operands():
            touched[liveness.base(value)].add(index)
        maker.update((value, index) for value in node.results)
        needs.append(frozenset(found))
    return needs
