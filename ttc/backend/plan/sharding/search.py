"""The search: dynamic programming over a program in order, by the memories of the values that live at each call.

What is to come depends on what was chosen only through the memories of the live values. So for each assignment of
memories to them the cheapest way there is kept, and no other; and none that a cheaper way reaches by moving values.
This is exact while there are few assignments, and L1 has room wherever shards lie. Of many the cheapest `BEAM` are
kept. Each way knows the addresses of its shards, as a call may find its room in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ttc.analysis.memory import Arena, bank_bytes
from ttc.analysis.residency import HEADROOM, l1_bank, workspace
from ttc.backend.plan.sharding.banks import lone_constants
from ttc.backend.plan.sharding.forms import Form, reads_banks, tensors
from ttc.backend.plan.sharding.places import Places
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

Moves = tuple[tuple[Value, Memory], ...]
"""Values that move before a call, each to a memory."""

Memories = dict[Value, MemoryConfig]
"""The live values in shards; all others are interleaved."""


@dataclass(frozen=True)
class Step:
    """A decision on one call: the moves before the call, and its form; `before` is the decision before this one."""

    node: Node
    moves: Moves
    form: Form | None
    before: Step | None


@dataclass(frozen=True)
class Way:
    """The cheapest way to an assignment of memories: the places of the shards, its seconds, its last decision."""

    memories: Memories
    places: Places
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
    ways = [search.start]
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
        self.start = Way({}, Places(Arena(l1_bank(prices.target))))
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
        found = self._found(position, node, ways, offers)
        if not found or any(offer.form.banks for offer in offers or ()):  # whose results may be large
            alone = self._found(position, node, ways, offers, alone=True)
            found |= {key: way for key, way in alone.items() if key not in found or way.seconds < found[key].seconds}
        first, *others = sorted(found.values(), key=lambda way: way.seconds)
        return [first, *(way for way in others if self._better(way, first))][:BEAM]

    def _found(
        self, position: int, node: Node, ways: list[Way], offers: list[Offer] | None, alone: bool = False
    ) -> dict[Any, Way]:
        """Return the cheapest way past a call to each assignment; `alone`: other values leave their shards first."""
        found: dict[Any, Way] = {}
        for way in ways:
            others: dict[Value, Memory] = dict.fromkeys(way.memories) if alone else {}
            for past in self._past(position, node, way, offers, others, found):
                key = _assignment(past.memories)
                if key not in found or past.seconds < found[key].seconds:
                    found[key] = past
        return found

    def _passes(self, node: Node, ways: list[Way]) -> bool:
        """Return whether a call without forms runs beside the shards of all ways, and reads none."""
        if not any(way.memories for way in ways):
            return True
        beside, operands = self._beside(node), node.op.operands()
        return all(way.memories.keys().isdisjoint(operands) and _fits(way.memories, way.places, beside) for way in ways)

    def _beside(self, node: Node) -> int:
        """Return the L1 that a call without forms takes, and what shards may not take there."""
        own = workspace(node.op, self._prices.target)
        return own.circular_buffers + own.l1 + (self._taken.get(node.results[0], 0) if node.results else 0)

    def _better(self, way: Way, first: Way) -> bool:
        """Return whether a way is cheaper than the first way and the moves to these memories, or has more room then."""
        needed = {value: way.memories.get(value) for value in (*first.memories, *way.memories)}
        found = self._moved(first, needed)
        return found is None or way.seconds < found[1].seconds or way.places.free > found[1].places.free

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
        self,
        position: int,
        node: Node,
        way: Way,
        offers: list[Offer] | None,
        others: dict[Value, Memory],
        found: Mapping[Any, Way] | None = None,
    ) -> Iterator[Way]:
        """Yield a way past a call for each offer that fits into L1 when `others` have their memories.

        Those dearer than a way that is `found` to the same assignment are left out before their places are sought.
        """
        plain: dict[Value, Memory] = {value: None for value in node.op.operands() if value in way.memories}
        if offers is None:
            past = self._moved(way, {**others, **plain})
            if past and _fits(past[1].memories, past[1].places, self._beside(node)):
                moves, there = past
                yield self._left(there, position, Step(node, moves, None, way.step) if moves else way.step)
            return
        operands, taken = tensors(node.op), self._taken.get(node.results[0], 0)  # type: ignore[arg-type]
        for offer in offers:
            if offer.form.into is not None and self._end[operands[offer.form.into]] > position:
                continue
            needed = {**others, **plain, **dict(zip(operands, offer.form.operands, strict=True))}
            if found and self._is_dearer(position, node, way, offer, needed, found):
                continue
            past = self._moved(way, needed)
            made = past and self._made(past[1], node, offer, taken)
            if not past or not made:
                continue
            decided = past[0] or offer.form.result is not None or any(offer.form.operands)
            step = Step(node, past[0], offer.form, way.step) if decided else way.step
            yield self._left(made, position, step)

    def _is_dearer(
        self,
        position: int,
        node: Node,
        way: Way,
        offer: Offer,
        needed: dict[Value, Memory],
        found: Mapping[Any, Way],
    ) -> bool:
        """Return whether an offer, with the moves that it needs, costs more than a known way to the same memories."""
        after = {**way.memories, **needed, node.results[0]: offer.form.result}
        left = {value: memory for value, memory in after.items() if memory and self._end.get(value, -1) > position}
        known = found.get(_assignment(left))
        if known is None:
            return False
        moving = (self._moving(value, way.memories.get(value), memory) for value, memory in needed.items())
        return known.seconds <= way.seconds + offer.seconds + sum(moving)

    def _moved(self, way: Way, needed: dict[Value, Memory]) -> tuple[Moves, Way] | None:
        """Return the moves to the needed memories, and the way there; None if a value finds no block."""
        moves, seconds, places = [], way.seconds, way.places
        for value, memory in needed.items():
            if way.memories.get(value) is not memory:
                moves.append((value, memory))
                seconds += self._moving(value, way.memories.get(value), memory)
                found = places.moved(value, self._size(value, memory) if memory else 0)
                if found is None:
                    return None
                places = found
        after = {**way.memories, **dict(moves)}
        memories = {value: memory for value, memory in after.items() if memory is not None}
        return tuple(moves), Way(memories, places, seconds, way.step)

    def _made(self, way: Way, node: Node, offer: Offer, taken: int) -> Way | None:
        """Return the way once a call has run as offered, the operands still there; None if the call finds no room."""
        result, form, memories = node.results[0], offer.form, way.memories
        found = way.places.running(result, offer.made, offer.workspace.l1)
        if form.result is not None:
            memories = {**memories, result: form.result}
        if found is None or (memories and offer.workspace.circular_buffers + taken + HEADROOM > found[1]):
            return None
        places = found[0]
        if form.result is not None and form.into is not None:
            operand = tensors(node.op)[form.into]  # type: ignore[arg-type]
            memories = {value: memory for value, memory in memories.items() if value != operand}
            places = places.renamed(operand, result)
        return Way(memories, places, way.seconds + offer.seconds, way.step)

    def _left(self, way: Way, position: int, step: Step | None) -> Way:
        """Return the way past a call: values that nobody reads any more have left their places."""
        gone = [value for value in way.memories if self._end.get(value, -1) <= position]
        memories = {value: memory for value, memory in way.memories.items() if value not in gone}
        return Way(memories, way.places.without(gone) if gone else way.places, way.seconds, step)

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


def _assignment(memories: Memories) -> frozenset[tuple[Value, int]]:
    """Return an assignment of memories as a key."""
    return frozenset((value, id(memory)) for value, memory in memories.items())


def _fits(memories: Memories, places: Places, workspace: int) -> bool:
    """Return whether a call with a workspace runs beside shards; where there are none, any call that TTNN takes."""
    return not memories or workspace + HEADROOM <= places.free
