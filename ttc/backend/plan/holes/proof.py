"""Proof that no order of a program's calls, and no times of deallocation, take less of L1 than a plan does."""

from __future__ import annotations

from collections.abc import Iterator

from ttc.backend.plan.holes.blocks import Blocks, choices
from ttc.backend.plan.holes.calls import Calls
from ttc.calls.loop import Loop

STATES = 20_000
"""Contents of L1 that a proof goes through at most."""


def is_least(calls: Calls, peak: int, states: int = STATES) -> bool:
    """Return whether a search through all plans shows that each takes `peak` bytes of L1 per core or more.

    A plan runs the calls in an order that their operands allow, and frees each buffer at some time after the last
    call that reads the buffer; the allocator does the rest, and circular buffers reach none. What is to come depends on
    the calls done and on the blocks in L1 alone, so that each such state is looked at once. A call that places nothing
    runs as soon as it may: that can but end lives, and a buffer whose life has ended may be kept. So where all states
    are gone through and none has all calls done with less than `peak` bytes, no plan takes less. False, too, where
    there are more than `states`, and of programs with loops, whose bodies have plans of their own.
    """
    if any(isinstance(node.op, Loop) for node in calls.nodes):
        return False
    plans = _Plans(calls, peak)
    ways = [plans.start()]
    seen = set(ways)
    while ways:
        done, blocks = ways.pop()
        if done == plans.all:
            return False
        for way in plans.next(done, blocks):
            if way not in seen:
                seen.add(way)
                ways.append(way)
        if len(seen) > states:
            return False
    return True


class _Plans:
    """All plans of a program that take less than `peak` bytes, state by state: the calls done, as bits, and L1."""

    def __init__(self, calls: Calls, peak: int):
        self._calls, self._limit = calls, peak - 1
        self._needs = [_bits(needs) for needs in calls.needs]
        self._readers: dict[int, int] = {}
        for index in range(len(calls.nodes)):
            for number in (*calls.reads[index], *(number for number, _ in calls.made[index])):
                self._readers[number] = self._readers.get(number, 0) | 1 << index
        self._placing = [index for index in range(len(calls.nodes)) if calls.places(index, peak)]
        self._others = sorted(set(range(len(calls.nodes))) - set(self._placing))
        self.all = (1 << len(calls.nodes)) - 1

    def start(self) -> tuple[int, Blocks]:
        """Return the first state."""
        return self._settled(0, ())

    def next(self, done: int, blocks: Blocks) -> Iterator[tuple[int, Blocks]]:
        """Yield the states after one call more that places buffers."""
        for index in self._placing:
            if not done >> index & 1 and not self._needs[index] & ~done:
                step = self._calls.step(index, 0, frozenset())
                limit = min(self._limit, step.room)
                for found, _, used in choices(blocks, step, limit):
                    if used <= limit:
                        yield self._settled(done | 1 << index, found)

    def _settled(self, done: int, blocks: Blocks) -> tuple[int, Blocks]:
        """Run the calls that place nothing, and mark what no other call reads."""
        for index in self._others:  # in the program's order, in which each comes after what it needs
            if not self._needs[index] & ~done:
                done |= 1 << index
        found = enumerate(blocks, 1)  # which buffer is dead decides nothing more: they go by place
        return done, tuple((begin, end, n if self._is_read(n, done) else -at) for at, (begin, end, n) in found)

    def _is_read(self, number: int, done: int) -> bool:
        """Return whether a buffer is one that a call to come reads, or that stays."""
        return number > 0 and (number in self._calls.lasting or bool(self._readers[number] & ~done))


def _bits(indices: frozenset[int]) -> int:
    return sum(1 << index for index in indices)
