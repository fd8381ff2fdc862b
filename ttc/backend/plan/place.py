"""Placement: the intermediate values that stay in L1, so that they never travel to DRAM and back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ttc.analysis.liveness import Life, Liveness
from ttc.analysis.memory import Arena
from ttc.analysis.residency import HEADROOM, Held, Moment, l1_bank, replay, schedule
from ttc.backend.plan.bodies import in_bodies
from ttc.backend.plan.remade import inferred, stating, with_l1
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, buffer_of, spec_of
from ttc.calls.concat import Concat
from ttc.calls.conv import Conv2d
from ttc.calls.convolution import Convolution
from ttc.calls.layout import Deallocate
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.target import Target
from ttc.ir import DRAM, L1, Buffer, Graph, MemoryConfig, Node, Spec, Value
from ttc.ir.graph import field_names


@dataclass(frozen=True)
class Candidate:
    """A call whose results (one memory for all) may live in L1, with the bytes that they take and save.

    `size` is bytes per core from the node at `position` to the one at `end`; `saved` is DRAM bytes that are neither
    written nor read, counting one read for each operand.
    """

    position: int
    end: int
    size: int
    saved: int

    @property
    def worth(self) -> tuple[float, int]:
        """Return the key that orders choices: bytes saved for each L1 byte and node of lifetime; earlier ones first."""
        return -self.saved / (self.size * (self.end - self.position + 1)), self.position


Choice = Callable[[Sequence[Candidate], np.ndarray], set[int]]
"""Choice of candidates, by position, that fit by their sizes into the bytes free at each node."""


def greedy(candidates: Sequence[Candidate], free: np.ndarray) -> set[int]:
    """Choose candidates that fit one after another, the worthiest first."""
    free, chosen = free.copy(), set[int]()
    for candidate in sorted(candidates, key=lambda c: c.worth):
        span = slice(candidate.position, candidate.end + 1)
        if free[span].min() >= candidate.size:
            free[span] -= candidate.size
            chosen.add(candidate.position)
    return chosen


def place(graph: Graph, target: Target, choice: Choice = greedy) -> Graph:
    """Choose L1 or DRAM for every intermediate value, by DRAM bytes saved for each L1 byte and its lifetime.

        %a: bf16[32,32] tile dram = ttnn.relu(%x)     %a: bf16[32,32] tile l1 = ttnn.relu(%x, memory_config=L1)
        %b: bf16[32,32] tile dram = ttnn.exp(%a)   -> %b: bf16[32,32] tile dram = ttnn.exp(%a, memory_config=DRAM)

    L1 must hold the circular buffers of every call below all that lives while it runs, at the addresses that
    TTNN's allocator gives: the choice is replayed on it, and what does not fit goes back to DRAM. The bodies of
    loops, which run many times, choose before the program around them.
    """
    graph = in_bodies(graph, lambda body: place(body, target, choice))
    candidates = {candidate.position: candidate for candidate in candidates_of(graph, target)}
    if not candidates:
        return graph
    unplaced = with_l1(graph, candidates, set())
    moments = schedule(unplaced, target)
    chosen = choice(list(candidates.values()), free_bytes(unplaced, moments, target))
    bare = replay(moments, target).clashes
    while True:
        placed = with_l1(graph, candidates, chosen)
        moments = schedule(placed, target)
        misfits = _crowded(placed, moments, chosen, bare, target)
        misfits = misfits or _misfits(moments, {position: candidates[position] for position in chosen}, target)
        if not misfits:
            return placed
        chosen -= misfits


# ---------------------------------------------------------------- what may be placed


class _Readers(dict[Value, list[Node]]):
    """The calls that read each value; `alike` says which specs a concatenation takes from which memory."""

    def __init__(self):
        super().__init__()
        self.alike: dict[tuple[Call, Spec, MemoryConfig], bool] = {}


def candidates_of(graph: Graph, target: Target) -> Iterator[Candidate]:
    """Yield the calls whose results may be in either memory."""
    readers = _Readers()
    for node in graph.nodes:
        if isinstance(node.op, Call) and not isinstance(node.op, Deallocate):
            for operand in dict.fromkeys(node.op.operands()):
                readers.setdefault(operand, []).append(node)
    lives = {life.value: life for life in Liveness(graph).lives}
    for position, node in enumerate(graph.nodes):
        if node.results and lives.keys() >= set(node.results) and _may_move(node, lives, readers):
            candidate = _candidate(position, [lives[value] for value in node.results], target)
            if candidate.size:
                yield candidate


def _candidate(position: int, lives: list[Life], target: Target) -> Candidate:
    specs = [replace(spec_of(life.value), memory=L1) for life in lives]
    return Candidate(
        position,
        max(life.end for life in lives),
        sum(bank_bytes(spec, target) for spec in specs),
        sum(spec.stored_bytes * (1 + life.reads) for spec, life in zip(specs, lives, strict=True)),
    )


def _may_move(node: Node, lives: dict[Value, Life], readers: _Readers) -> bool:
    """Return whether a call's results may be in either memory: TTNN allows both, and readers run the same."""
    call = node.op
    if not isinstance(call, Call) or "memory_config" not in field_names(type(call)) or not runs_alike_in_l1(call):
        return False
    if any(lives[value].kept or lives[value].output for value in node.results):
        return False
    standing = {spec_of(value).memory for value in node.results}
    if standing not in ({DRAM}, {L1}):
        return False
    other = DRAM if standing == {L1} else L1
    types = inferred(stating(call, other))
    if not types or any(spec.memory != other for spec in types):
        return False
    return all(_takes(reader, value, other, readers) for value in node.results for reader in readers.get(value, ()))


def runs_alike_in_l1(call: Call) -> bool:
    """Return whether a call runs the same device programs whichever memory its tensors are in.

    Without a core grid TTNN picks another way to multiply as soon as one side is in L1: larger circular buffers, and
    a separate addition of the bias. A convolution that runs whole moves its operand to shards from either memory;
    slices are cut from DRAM, and a halo is moved, or not, as the L1's other buffers let it. A product of batches that
    reads L1 already goes that other way, wherever its other tensors are.
    """
    match call:
        case Matmul(core_grid=None, transpose_a=False, transpose_b=False) if _reads_batches_in_l1(call):
            return True
        case Conv2d(groups=1) if call.whole and call.keeps_input and not call.conv_config.folded:
            return True
        case Matmul(core_grid=None) | Linear(core_grid=None, program_config=None) | Convolution():
            return False
    return True


def _reads_batches_in_l1(call: Matmul) -> bool:
    """Return whether the second operand of a product is several matrices, in L1."""
    second = call.input_tensor_b
    return spec_of(second).memory == L1 and any(size != 1 for size in second.shape[:-2])


def _takes(node: Node, value: Value, memory: MemoryConfig, readers: _Readers) -> bool:
    """Return whether a call, and the readers of its result if that is a view, may read `value` from `memory`."""
    call = node.op
    assert isinstance(call, Call)
    if not isinstance(call, Concat) or len(call.tensors) < 3:
        return _takes_this(node, call, value, memory, readers)
    # Which of many operands of one spec a concatenation reads from where makes no difference to the call.
    key = (call, spec_of(value), memory)
    if key not in readers.alike:
        readers.alike[key] = _takes_this(node, call, value, memory, readers)
    return readers.alike[key]


def _takes_this(node: Node, call: Call, value: Value, memory: MemoryConfig, readers: _Readers) -> bool:
    if not runs_alike_in_l1(call):
        return False
    moved = replace(value, type=replace(spec_of(value), memory=memory))
    changed: Any = call.with_operands(lambda operand: moved if operand is value else operand)
    types = inferred(changed)
    if not types:
        return False
    if call.alias() is not value:
        stated = "memory_config" in field_names(type(call))
        return changed.alias() is not moved and (stated or types == tuple(v.type for v in node.results))
    view = node.results[0]
    return changed.alias() is moved and all(_takes(reader, view, memory, readers) for reader in readers.get(view, ()))


# ---------------------------------------------------------------- choosing


def free_bytes(graph: Graph, moments: Sequence[Moment], target: Target) -> np.ndarray:
    """Return the bytes of each core's L1 that are free at each node of a program, whose schedule is `moments`."""
    free = np.array(
        [l1_bank(target) - HEADROOM - m.workspace.circular_buffers - m.workspace.buffers for m in moments], np.int64
    )
    for life in Liveness(graph).lives:
        if spec_of(life.value).memory.buffer is Buffer.L1:  # its L1 is taken whatever is chosen
            free[life.start : life.end + 1] -= bank_bytes(spec_of(life.value), target)
    return free


def _crowded(
    graph: Graph, moments: list[Moment], chosen: Collection[int], bare: Sequence[int], target: Target
) -> set[int]:
    """Return the chosen that the first call reads or makes whose workspace does not fit because they are in L1.

    `bare` are the nodes that clash while nothing is chosen.
    """
    alone = replay(moments, target, frozenset(chosen)).clashes
    made = {value: position for position in chosen for value in graph.nodes[position].results}
    for position in alone:
        node = graph.nodes[position]
        near = {made[buffer] for value in (*node.op.operands(), *node.results) if (buffer := buffer_of(value)) in made}
        if position not in bare and near:
            return near
    return set()


def _misfits(moments: list[Moment], chosen: dict[int, Candidate], target: Target) -> set[int]:
    """Return the least worthy of the chosen that must go for a replay that clashes no more than without the chosen.

    One that is gone before a clash leaves the buffers between at other addresses: the last such goes. The replay goes
    on from the node whose result goes.
    """
    standing = {*replay(moments, target, frozenset(chosen)).clashes}
    misfits: set[int] = set()
    held, held_before, position = Held(Arena(l1_bank(target))), dict[int, Held](), 0
    while position < len(moments):
        if position in chosen:
            held_before[position] = held.copy()
        if held.past(moments[position], position in misfits)[1] or position in standing:
            position += 1
            continue
        misfit = _least_worthy([c for c in chosen.values() if c.position not in misfits], position)
        if misfit is None:
            break
        misfits.add(misfit)
        held, position = held_before[misfit], misfit
    return misfits


def _least_worthy(chosen: Sequence[Candidate], clash: int) -> int | None:
    """Return the position of the candidate that must go for a clash: of those in L1 meanwhile, else the last gone."""
    before = [c for c in chosen if c.position <= clash]
    near = [c for c in before if clash <= c.end]
    if near:
        return max(near, key=lambda c: c.worth).position
    return max(before, key=lambda c: c.end).position if before else None
