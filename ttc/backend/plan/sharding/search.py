"""The search: dynamic programming over a program in order, by the memories of the values that live at each call.

What is to come depends on what was chosen only through the memories of the live values. So for each assignment of
memories to them the cheapest way there is kept, and no other; and none that a cheaper way reaches by moving values.
This is exact while there are few assignments, and L1 has room wherever shards lie. Of many the cheapest `BEAM` are
kept. Each way knows the addresses of its shards, as a call may find its room in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from ttc.analysis.memory import Arena
from ttc.analysis.residency import HEADROOM, l1_bank, workspace
from ttc.backend.plan.sharding.banks import lone_constants
from ttc.backend.plan.sharding.forms import Form, reads_banks, tensors
from ttc.backend.plan.sharding.places import Places
from ttc.backend.plan.sharding.price import Offer, Prices
from ttc.calls.banks import bank_bytes
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


Assignment = frozenset[tuple[Value, int]]
"""Live values in shards with the identities of their memories: a key."""


class Step(NamedTuple):
    """A decision on one call: the moves before the call, and its form; `before` is the decision before this one."""

    node: Node
    moves: Moves
    form: Form | None
    before: Step | None


class Way(NamedTuple):
    """The cheapest way to an assignment of memories: the places of the shards, its seconds, its last decision."""

    memories: Memories
    places: Places
    seconds: float = 0.0
    step: Step | None = None


class Choice(NamedTuple):
    """An offer of one call: the memories that the operands need, and what of these and of the result lives on."""

    offer: Offer
    needed: dict[Value, Memory]
    left: Assignment


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
    step = ways[0].step if ways[0].seconds < (1 - WORTH) * search.plain else None
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
        self.plain = 0.0
        """The seconds of all calls with forms so far in interleaved memory."""

    def after(self, position: int, node: Node, ways: list[Way]) -> list[Way]:
        """Return the cheapest ways past a call, one for each assignment, the cheapest first."""
        choices = self._choices(position, node)
        if choices is None and self._passes(node, ways):
            return ways
        found = self._found(position, node, ways, choices)
        if not found or any(choice.offer.form.banks for choice in choices or ()):  # whose results may be large
            alone = self._found(position, node, ways, choices, alone=True)
            found |= {key: way for key, way in alone.items() if key not in found or way.seconds < found[key].seconds}
        first, *others = sorted(found.values(), key=lambda way: way.seconds)
        return [first, *(way for way in others if self._better(way, first))][:BEAM]

    def _found(
        self, position: int, node: Node, ways: list[Way], choices: list[Choice] | None, alone: bool = False
    ) -> dict[Assignment, Way]:
        """Return the cheapest way past a call to each assignment; `alone`: other values leave their shards first."""
        found: dict[Assignment, Way] = {}
        for way in ways:
            read = (value for value in node.op.operands() if value in way.memories)
            leaving: dict[Value, Memory] = dict.fromkeys((*way.memories, *read) if alone else read)
            if choices is None:
                past = self._plainly(position, node, way, leaving)
                every = [(_assignment(past.memories), past)] if past else []
            else:
                every = self._past(position, node, way, choices, leaving, found)
            for key, past in every:
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
        return own.circular_buffers + own.buffers + (self._taken.get(node.results[0], 0) if node.results else 0)

    def _better(self, way: Way, first: Way) -> bool:
        """Return whether a way is cheaper than the first way and the moves to these memories, or has more room then."""
        needed = {value: way.memories.get(value) for value in (*first.memories, *way.memories)}
        if way.seconds < self._arriving(first, needed):
            return True
        found = self._moved(first, needed)
        return found is None or way.places.free > found[1].places.free

    def _choices(self, position: int, node: Node) -> list[Choice] | None:
        """Return the offers that a call may take, None of a call that has no form on shards."""
        if not isinstance(node.op, Call) or not (operands := tensors(node.op)):
            return None
        outside, banked = not self._outside.isdisjoint(node.results), self._banked(node.op)
        found: list[Choice] = []
        for offer in self._prices.offers(node.op):
            form = offer.form
            if (outside and form.result) or (form.banks and not banked):
                continue
            if form.result is None and not any(form.operands):
                self.plain += offer.seconds
            if form.into is None or self._end[operands[form.into]] <= position:
                needed = dict(zip(operands, form.operands, strict=True))
                found.append(Choice(offer, needed, self._left_by(position, {**needed, node.results[0]: form.result})))
        return found

    def _left_by(self, position: int, memories: Mapping[Value, Memory]) -> Assignment:
        """Return the assignment of those values in shards that a later call reads."""
        return _assignment({x: memory for x, memory in memories.items() if memory and self._end.get(x, -1) > position})

    def _banked(self, call: Call) -> bool:
        """Return whether a call's weights lie over the banks of DRAM, or may be laid there."""
        if not isinstance(call, Linear) or not (call.bias is None or call.bias in self._lone):
            return False
        return reads_banks(call) or (self._new_banks and call.input_tensor_b in self._lone)

    def _plainly(self, position: int, node: Node, way: Way, leaving: Mapping[Value, Memory]) -> Way | None:
        """Return the way past a call without forms once values have left their shards; None if it has no room."""
        past = self._moved(way, leaving)
        if past is None or not _fits(past[1].memories, past[1].places, self._beside(node)):
            return None
        moves, there = past
        return self._left(there, position, Step(node, moves, None, way.step) if moves else way.step)

    def _past(
        self,
        position: int,
        node: Node,
        way: Way,
        choices: list[Choice],
        leaving: dict[Value, Memory],
        found: Mapping[Assignment, Way],
    ) -> Iterator[tuple[Assignment, Way]]:
        """Yield a way past a call for each choice that fits into L1, with the assignment that it leads to.

        The values `leaving` are interleaved unless a choice needs them in shards. What is dearer than a way that is
        `found` to the same assignment is left out before its places are sought.
        """
        taken = self._taken.get(node.results[0], 0)
        staying = self._left_by(position, {x: memory for x, memory in way.memories.items() if x not in leaving})
        for choice in choices:
            key, offer = staying | choice.left, choice.offer
            needed = {**leaving, **choice.needed}
            if key in found and self._is_dearer(way, offer.seconds, needed, found[key].seconds):
                continue
            past = self._moved(way, needed)
            made = past and self._made(past[1], node, offer, taken)
            if not past or not made:
                continue
            decided = past[0] or offer.form.result is not None or any(offer.form.operands)
            step = Step(node, past[0], offer.form, way.step) if decided else way.step
            yield key, self._left(made, position, step)

    def _is_dearer(self, way: Way, seconds: float, needed: Mapping[Value, Memory], known: float) -> bool:
        """Return whether a call of these seconds, after the moves to the memories needed, is no faster than known."""
        return known <= way.seconds + seconds or known <= self._arriving(way, needed) + seconds

    def _moved(self, way: Way, needed: Mapping[Value, Memory]) -> tuple[Moves, Way] | None:
        """Return the moves to the needed memories, and the way there; None if a value finds no block."""
        moves, places = [], way.places
        for value, memory in needed.items():
            if way.memories.get(value) is not memory:
                moves.append((value, memory))
                found = places.moved(value, self._size(value, memory) if memory else 0)
                if found is None:
                    return None
                places = found
        after = {**way.memories, **dict(moves)}
        memories = {value: memory for value, memory in after.items() if memory is not None}
        return tuple(moves), Way(memories, places, self._arriving(way, needed), way.step)

    def _arriving(self, way: Way, needed: Mapping[Value, Memory]) -> float:
        """Return the seconds of a way and of the moves to the needed memories."""
        seconds = way.seconds
        for value, memory in needed.items():
            before = way.memories.get(value)
            if before is not memory:
                seconds += self._moving(value, before, memory)
        return seconds

    def _made(self, way: Way, node: Node, offer: Offer, taken: int) -> Way | None:
        """Return the way once a call has run as offered, the operands still there; None if the call finds no room."""
        result, form, memories = node.results[0], offer.form, way.memories
        found = way.places.running(result, offer.made, offer.workspace)
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


def _assignment(memories: Memories) -> Assignment:
    """Return an assignment of memories as a key."""
    return frozenset([(value, id(memory)) for value, memory in memories.items()])


def _fits(memories: Memories, places: Places, workspace: int) -> bool:
    """Return whether a call with a workspace runs beside shards; where there are none, any call that TTNN takes."""
    return not memories or workspace + HEADROOM <= places.free
