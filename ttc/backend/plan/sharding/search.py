"""The search: dynamic programming over a program in order, by the memories of the values that live at each call.

What is to come depends on what was chosen only through the memories of the live values. So for each assignment of
memories to them the cheapest way there is kept, and no other; and none that a cheaper way reaches by moving values.
This is exact while there are few assignments. Of many the cheapest `BEAM` are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ttc.analysis.memory import bank_bytes
from ttc.analysis.residency import HEADROOM, l1_bank, workspace
from ttc.backend.plan.sharding.banks import lone_constants
from ttc.backend.plan.sharding.forms import Form, reads_banks, tensors
from ttc.backend.plan.sharding.price import Offer, Prices
from ttc.calls.call import Call, spec_of
from ttc.calls.matmul import Linear
from ttc.ir import Graph, MemoryConfig, Node, Value

WORTH = 0.05
"""Share of the predicted time of calls with forms that shards must save: below, they only add moves."""

BEAM = 24
"""Most assignments that are kept from call to call."""

Memory = MemoryConfig | None
"""The memory of a value: shards, or None for interleaved memory."""

Memories = dict[Value, MemoryConfig]
"""The live values in shards; all others are interleaved."""


@dataclass(frozen=True)
class Step:
    """A decision on one call: the moves before the call, and its form; `before` is the decision before this one."""

    node: Node
    moves: tuple[tuple[Value, Memory], ...]
    form: Form | None
    before: Step | None


@dataclass(frozen=True)
class Way:
    """The cheapest way to an assignment of memories: its seconds, and its last decision."""

    memories: Memories
    seconds: float = 0.0
    step: Step | None = None


def cheapest(
    graph: Graph, prices: Prices, taken: Mapping[Value, int] | None = None, new_banks: bool = True
) -> list[Step]:
    """Return the decisions of the cheapest way through a program, in order; none where plain calls are the cheapest.

    `taken` are bytes of each core's L1 that shards may not take while the call with a result runs. `new_banks` allows
    weights to be laid over the banks of DRAM that are not yet.
    """
    search = _Search(graph, prices, taken or {}, new_banks)
    ways = [Way({})]
    for position, node in enumerate(graph.nodes):
        ways = search.after(position, node, ways)
    steps: list[Step] = []
    step = ways[0].step if ways[0].seconds < (1 - WORTH) * search.plain(graph) else None
    while step is not None:
        steps.append(step)
        step = step.before
    return steps[::-1]


class _Search:
    """The search through one program: where values end, and the L1 that shards may take."""

    def __init__(self, graph: Graph, prices: Prices, taken: Mapping[Value, int], new_banks: bool = True):
        self._prices = prices
        self._room = l1_bank(prices.target) - HEADROOM
        self._taken = taken
        self._end = {value: at for at, node in enumerate(graph.nodes) for value in node.op.operands()}
        self._outside = {value for _, value in graph.outputs}
        self._lone, self._new_banks = lone_constants(graph), new_banks
        self._sizes: dict[tuple[Value, int], int] = {}
        self._moves: dict[tuple[Value, int, int], float] = {}

    def plain(self, graph: Graph) -> float:
        """Return the seconds of all calls with forms in interleaved memory."""
        every = (self._offers(node) or [] for node in graph.nodes)
        plain = (
            next(x for x in offers if x.form.result is None and not any(x.form.operands)) for offers in every if offers
        )
        return sum(offer.seconds for offer in plain)

    def after(self, position: int, node: Node, ways: list[Way]) -> list[Way]:
        """Return the cheapest ways past a call, one for each assignment, the cheapest first."""
        offers = self._offers(node)
        if offers is None and self._passes(node, ways):
            return ways
        found = self._found(position, node, ways, offers) or self._found(position, node, ways, offers, alone=True)
        first, *others = sorted(found.values(), key=lambda way: way.seconds)
        return [first, *(way for way in others if self._better(way, first))][:BEAM]

    def _found(
        self, position: int, node: Node, ways: list[Way], offers: list[Offer] | None, alone: bool = False
    ) -> dict[Any, Way]:
        """Return the cheapest way past a call to each assignment; `alone`: other values leave their shards first."""
        found: dict[Any, Way] = {}
        for way in ways:
            others: dict[Value, Memory] = dict.fromkeys(way.memories) if alone else {}
            for past in self._past(position, node, way, offers, others):
                key = frozenset((value, id(memory)) for value, memory in past.memories.items())
                if key not in found or past.seconds < found[key].seconds:
                    found[key] = past
        return found

    def _passes(self, node: Node, ways: list[Way]) -> bool:
        """Return whether a call without forms runs beside the shards of all ways, and reads none."""
        if not any(way.memories for way in ways):
            return True
        room, operands = self._room - self._beside(node), node.op.operands()
        return all(way.memories.keys().isdisjoint(operands) and self._held(way.memories) <= room for way in ways)

    def _beside(self, node: Node) -> int:
        """Return the L1 that a call without forms takes, and what shards may not take there."""
        own = workspace(node.op, self._prices.target)
        return own.circular_buffers + own.l1 + (self._taken.get(node.results[0], 0) if node.results else 0)

    def _held(self, memories: Memories) -> int:
        return sum(self._size(value, memory) for value, memory in memories.items())

    def _better(self, way: Way, first: Way) -> bool:
        """Return whether a way is cheaper than the first way and the moves from its memories to these."""
        values = {*way.memories, *first.memories}
        moved = [value for value in values if way.memories.get(value) is not first.memories.get(value)]
        moving = (self._moving(value, way.memories.get(value), first.memories.get(value)) for value in moved)
        return way.seconds < first.seconds + sum(moving)

    def _offers(self, node: Node) -> list[Offer] | None:
        """Return the offers of a call, None of a call that has no form on shards."""
        if not isinstance(node.op, Call) or not tensors(node.op):
            return None
        outside = not self._outside.isdisjoint(node.results)
        banked = self._banked(node.op)
        offers = self._prices.offers(node.op)
        return [x for x in offers if not (outside and x.form.result) and (banked or not x.form.banks)]

    def _banked(self, call: Call) -> bool:
        """Return whether a call's weights lie over the banks of DRAM, or may be laid there."""
        if not isinstance(call, Linear) or not (call.bias is None or call.bias in self._lone):
            return False
        return reads_banks(call) or (self._new_banks and call.input_tensor_b in self._lone)

    def _past(
        self, position: int, node: Node, way: Way, offers: list[Offer] | None, others: dict[Value, Memory]
    ) -> Iterator[Way]:
        """Yield a way past a call for each offer that fits into L1 when `others` have their memories."""
        plain: dict[Value, Memory] = {value: None for value in node.op.operands() if value in way.memories}
        if offers is None:
            past = self._moved(way, {**others, **plain}, self._beside(node))
            step = Step(node, past[0], None, way.step) if past and past[0] else way.step
            if past:
                yield Way(self._alive(past[1], position), way.seconds + past[2], step)
            return
        operands, taken = tensors(node.op), self._taken.get(node.results[0], 0)  # type: ignore[arg-type]
        for offer in offers:
            if offer.form.into is not None and self._end[operands[offer.form.into]] > position:
                continue
            needed = {**plain, **dict(zip(operands, offer.form.operands, strict=True))}
            past = self._moved(way, {**others, **needed}, offer.room + taken)
            if past is None or (offer.form.result is not None and offer.room + taken > self._room):
                continue
            moves, memories, seconds = past
            memories = self._alive(memories, position)
            if offer.form.result is not None and node.results[0] in self._end:
                memories[node.results[0]] = offer.form.result
            decided = moves or offer.form.result is not None or any(offer.form.operands)
            step = Step(node, moves, offer.form, way.step) if decided else way.step
            yield Way(memories, way.seconds + seconds + offer.seconds, step)

    def _moved(self, way: Way, needed: dict[Value, Memory], room: int) -> Any:
        """Return the moves to the needed memories, the memories then, and the seconds; None if they do not fit."""
        memories, moves, seconds = way.memories, [], 0.0
        for value, memory in needed.items():
            if memories.get(value) is not memory:
                moves.append((value, memory))
                seconds += self._moving(value, memories.get(value), memory)
        if moves:
            after = {**memories, **dict(moves)}
            memories = {value: memory for value, memory in after.items() if memory is not None}
        if memories and room + self._held(memories) > self._room:
            return None
        return tuple(moves), memories, seconds

    def _alive(self, memories: Memories, position: int) -> Memories:
        return {value: memory for value, memory in memories.items() if self._end[value] > position}

    def _moving(self, value: Value, before: Memory, after: Memory) -> float:
        key = value, id(before), id(after)
        if key not in self._moves:
            self._moves[key] = self._prices.moving(spec_of(value), before, after)
        return self._moves[key]

    def _size(self, value: Value, memory: MemoryConfig) -> int:
        key = value, id(memory)
        if key not in self._sizes:
            self._sizes[key] = bank_bytes(replace(spec_of(value), memory=memory), self._prices.target)
        return self._sizes[key]
