"""Times of deallocation: a dead buffer stays for some calls, so that another does not come where a large one will."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ttc.backend.plan.holes.blocks import Blocks, Step, after, alive, choices, dead


@dataclass(frozen=True)
class Effort:
    """Limits of a search: the calls before a miss, from which on others are tried, and the contents of L1 followed."""

    spans: tuple[int, ...]
    width: int


@dataclass
class Budget:
    """Calls that a search may still put to the allocator."""

    calls: int


@dataclass(frozen=True)
class Times:
    """The bytes of L1 that buffers take at most, the steps that missed the goal, and the buffers kept beyond their use.

    `until` gives for each buffer kept the step before which the buffer is freed.
    """

    peak: int
    misses: tuple[int, ...]
    until: dict[int, int]


class Keeping:
    """Search for times of deallocation with which no step takes more than `goal` bytes.

    Buffers are freed at once until a step takes too much. From some calls before that step on all choices are
    followed, at most `effort.width` at a time, from ever earlier calls. Where none helps, the fewest bytes that were
    found for the step become the goal.
    """

    def __init__(self, steps: Sequence[Step], goal: int, effort: Effort, budget: Budget):
        self._steps, self._goal, self._effort, self._budget = steps, goal, effort, budget
        self._before: list[Blocks] = [()]  # the blocks before each step
        self._until: dict[int, int] = {}
        self._least = 0  # the fewest bytes that a step which misses the goal was found to take
        self._end = {number: at for at, step in enumerate(steps) for number in step.ends}

    def times(self) -> Times:
        """Return the times found."""
        misses: list[int] = []
        for at, step in enumerate(self._steps):
            found, used = after(self._before[at], step, dead(self._before[at]))
            self._budget.calls -= 1
            if used > self._limit(at):
                self._least = used
                if self._keep(at):
                    continue
                misses.append(at)
                self._goal = max(self._goal, self._least)
                if self._least < used and self._keep(at):
                    continue
                self._goal = max(self._goal, used)
            self._before.append(alive(found))
        return Times(self._goal, tuple(misses), self._until)

    def _limit(self, at: int) -> int:
        return min(self._goal, self._steps[at].room)

    def _keep(self, last: int) -> bool:
        """Find times for the steps before `last` with which this one takes no more than the goal; return whether."""
        for span in self._effort.spans:
            first = max(0, last - span)
            until = self._window(first, last)
            if until is not None:
                self._take(first, last, until)
                return True
            if first == 0:
                break
        return False

    def _window(self, first: int, last: int) -> dict[int, int] | None:
        """Return times from the step `first` to the step `last`; None if no way was found."""
        ways: list[dict[Blocks, tuple[Blocks, frozenset[int]]]] = []
        layer: Iterable[Blocks] = (self._before[first],)
        for at in range(first, last + 1):
            new: dict[Blocks, tuple[Blocks, frozenset[int]]] = {}
            limit = self._limit(at)
            for blocks in layer:
                for found, freed, used in choices(blocks, self._steps[at], limit):
                    self._budget.calls -= 1
                    if used <= limit:
                        new.setdefault(found, (blocks, freed))
                    elif at == last:
                        self._least = min(self._least, used)
            if not new or self._budget.calls <= 0:
                return None
            layer = _best(new, self._effort.width)
            ways.append(new)
        blocks = min(layer, key=_depth)
        until = {-block[2]: last + 1 for block in blocks if block[2] < 0}
        for at in range(last, first - 1, -1):
            blocks, freed = ways[at - first][blocks]
            until |= {-number: at for number in freed}
        return until

    def _take(self, first: int, last: int, until: dict[int, int]) -> None:
        """Take over times from the step `first` to the step `last`, without those that make no difference."""
        until = {number: at for number, at in until.items() if at > self._end[number] + 1}
        path = self._path(first, last, until)
        assert path is not None
        for number in sorted(until):
            fewer = {other: at for other, at in until.items() if other != number}
            shorter = self._path(first, last, fewer)
            if shorter is not None and shorter[-1] == path[-1]:
                until, path = fewer, shorter
        again = {-number for number in dead(self._before[first])} | {
            number for step in self._steps[first : last + 1] for number in step.ends
        }
        self._until = {number: at for number, at in self._until.items() if number not in again} | until
        self._before[first + 1 :] = path

    def _path(self, first: int, last: int, until: dict[int, int]) -> list[Blocks] | None:
        """Return the blocks after each step with buffers freed as `until` says; None if a step takes too much."""
        blocks, path = self._before[first], list[Blocks]()
        for at in range(first, last + 1):
            freed = frozenset(number for number in dead(blocks) if until.get(-number, 0) <= at)
            blocks, used = after(blocks, self._steps[at], freed)
            self._budget.calls -= 1
            if used > self._limit(at):
                return None
            path.append(blocks)
        path[-1] = alive(path[-1])
        return path


def _depth(blocks: Blocks) -> tuple[int, int, int]:
    """Return the key that orders what lies in L1: the lowest end in use, the sum of the ends, how much is dead."""
    ends = [end for _, end, number in blocks if number > 0]
    return max(ends, default=0), sum(ends), len(blocks)


def _best(found: Iterable[Blocks], width: int) -> list[Blocks]:
    """Choose at most `width` of several contents of L1: all places of buffers in use, the most dead buffers first."""
    found = list(found)
    if len(found) <= width:
        return found
    places: dict[Blocks, list[Blocks]] = {}
    for blocks in found:
        places.setdefault(alive(blocks), []).append(blocks)
    ranked = [(rank, _depth(used), sorted(ways, key=len, reverse=True)[rank])
              for used, ways in places.items() for rank in range(len(ways))]  # fmt: skip
    ranked.sort(key=lambda way: way[:2])
    return [way for _, _, way in ranked[:width]]
