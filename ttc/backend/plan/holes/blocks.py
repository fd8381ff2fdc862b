"""Blocks of one core's L1 as values that a search keeps by the thousand: TTNN's allocator, as in `analysis.memory`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Block = tuple[int, int, int]
"""Begin and end in bytes below the upper end of L1, and the buffer's number: below 0 once no call reads the buffer."""

Blocks = tuple[Block, ...]
"""Blocks from the upper end of L1 down: buffers in use, and dead ones that are not freed yet."""


@dataclass(frozen=True)
class Step:
    """A call that places buffers in L1, at node `node` of a program: sizes are bytes per core.

    `inside` and `passing` are those of the call's `Workspace`; `made` are the results' buffers by number, each with
    its size, `ends` the buffers that no later call reads. `room` is what buffers may take beside circular buffers.
    """

    node: int
    inside: tuple[int, ...]
    passing: int
    made: tuple[tuple[int, int], ...]
    ends: frozenset[int]
    room: int


Met = list[tuple[Blocks, int]]
"""The blocks that each buffer of a call met when it came, and its size."""


def after(blocks: Blocks, step: Step, freed: frozenset[int], met: Met | None = None) -> tuple[Blocks, int]:
    """Return the blocks after a call before which the dead buffers `freed` go, and the bytes taken meanwhile.

    A buffer comes into the uppermost gap that is large enough, at the gap's upper end.
    """
    found = [block for block in blocks if block[2] not in freed] if freed else list(blocks)
    held: list[Block] = []
    inside = len(step.inside)
    for index, (number, size) in enumerate((*((0, size) for size in step.inside), *step.made)):
        if met is not None:
            met.append((tuple(found), size))
        end = at = 0
        while at < len(found) and found[at][0] - end < size:
            end = found[at][1]
            at += 1
        found.insert(at, (end, end + size, number))
        if index < inside:
            held.append(found[at])
            if 0 < index <= step.passing:
                found.remove(held.pop(0))
    used = found[-1][1] if found else 0
    for block in held:
        found.remove(block)
    ends = step.ends
    return tuple((begin, end, -n if n in ends else n) for begin, end, n in found), used


def alive(blocks: Blocks) -> Blocks:
    """Return the blocks without dead buffers."""
    return tuple(block for block in blocks if block[2] > 0)


def dead(blocks: Blocks) -> frozenset[int]:
    """Return the dead buffers by the numbers that they have in blocks, below 0."""
    return frozenset(block[2] for block in blocks if block[2] < 0)


def choices(blocks: Blocks, step: Step, limit: int) -> Iterator[tuple[Blocks, frozenset[int], int]]:
    """Yield what may lie in L1 after a call, the dead buffers freed before the call, and the bytes taken meanwhile.

    Dead buffers below `limit` go in any case. Of the others those go that a place needs: the allocator's choice is
    decided by the dead buffers that have left a place, and by those above that still fill theirs, so that a buffer
    comes where a gap or a dead buffer begins. With what is yielded, other sets differ by dead buffers alone that could
    have stayed.
    """
    ways = [frozenset(number for _, end, number in blocks if number < 0 and end > limit)]
    seen = set[frozenset[int]]()
    while ways:
        freed = ways.pop()
        if freed not in seen:
            seen.add(freed)
            met: Met = []
            found, used = after(blocks, step, freed, met)
            yield found, freed, used
            ways += (freed | more for there, size in met for more in _places(there, size))


def _places(blocks: Blocks, size: int) -> Iterator[frozenset[int]]:
    """Yield the dead buffers that must go for a buffer to come to each place above the uppermost gap that holds it."""
    end = 0
    for index, (begin, below, number) in enumerate(blocks):
        if begin - end >= size:
            return
        if number < 0:
            going, bottom = set[int](), begin
            for at in range(index, len(blocks)):
                if bottom - end >= size or blocks[at][2] >= 0:
                    break
                going.add(blocks[at][2])
                bottom = blocks[at + 1][0] if at + 1 < len(blocks) else end + size
            if going and bottom - end >= size:
                yield frozenset(going)
        end = below
