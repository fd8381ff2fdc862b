"""The best choice of values for L1, found by an exact solver: what -O3 takes, and what placement is judged by.

The problem is a knapsack in time: each candidate takes its bytes from the call that makes it to the last that reads it,
at no node more than are free, and the most DRAM bytes are to be saved. Sizes are all that counts: addresses, which the
replay on TTNN's allocator decides, can only make a plan worse. HiGHS solves it, by `scipy.optimize.milp`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ttc.analysis.residency import schedule
from ttc.backend.plan.place import Candidate, candidates_of, free_bytes, greedy, place
from ttc.backend.plan.remade import with_l1
from ttc.calls.call import spec_of
from ttc.calls.loop import Loop
from ttc.calls.target import Target
from ttc.errors import require
from ttc.ir import Buffer, Graph

SECONDS = 60.0
"""Seconds that the solver may take for one graph; what is found by then is no proof."""


@dataclass(frozen=True)
class Spills:
    """DRAM bytes of a run that values outside L1 cost: of the plan, and the least that any plan by sizes costs.

    `proven` states that some plan by sizes costs `least`; otherwise no plan costs less.
    """

    planned: int
    least: int
    proven: bool

    def __str__(self) -> str:
        what = "the optimum is" if self.proven else "no plan has less than"
        return f"values outside L1 cost {self.planned / 1e6:,.1f} MB of DRAM traffic; {what} {self.least / 1e6:,.1f} MB"


def place_exactly(graph: Graph, target: Target) -> Graph:
    """Place values as the solver chooses; as `place` does where addresses make that choice the worse one."""
    require("-O3", ["scipy"], "exact")
    plans = (place(graph, target, choice) for choice in (_best, greedy))
    return min(plans, key=lambda plan: sum(_planned(part, target) * times for part, times in _parts(plan)))


def spills(graph: Graph, target: Target) -> Spills:
    """Compare a program whose values are placed with the optimum, in bytes of one run, bodies of loops included."""
    require("the optimum of placement", ["scipy"], "exact")
    planned = least = 0
    proven = True
    for part, times in _parts(graph):
        candidates = list(candidates_of(part, target))
        unplaced = with_l1(part, {c.position: c for c in candidates}, set())
        _, saved, exact = _solve(candidates, free_bytes(unplaced, schedule(unplaced, target), target))
        planned += times * _planned(part, target)
        least += times * (sum(c.saved for c in candidates) - saved)
        proven &= exact
    return Spills(planned, least, proven)


def _parts(graph: Graph, times: int = 1) -> Iterator[tuple[Graph, int]]:
    """Yield a program and the bodies of its loops, each with its runs."""
    yield graph, times
    for node in graph.nodes:
        if isinstance(node.op, Loop):
            yield from _parts(node.op.body, times * node.op.count)


def _planned(graph: Graph, target: Target) -> int:
    """Count the DRAM bytes that candidates outside L1 cost a run."""
    memories = [spec_of(node.results[0]).memory.buffer if node.results else None for node in graph.nodes]
    return sum(c.saved for c in candidates_of(graph, target) if memories[c.position] is not Buffer.L1)


def _best(candidates: Sequence[Candidate], free: np.ndarray) -> set[int]:
    return _solve(candidates, free)[0]


def _solve(candidates: Sequence[Candidate], free: np.ndarray) -> tuple[set[int], int, bool]:
    """Return the choice that saves most, by position, the most bytes that any choice saves, and whether one is proven.

    Where the solver runs out of time without a choice, that is the greedy one.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # not before it is asked for: ttc does without
    from scipy.sparse import csr_array

    every, total = {c.position for c in candidates}, sum(c.saved for c in candidates)
    rooms = _crowded(candidates, free)
    if not rooms:
        return every, total, True
    entries = [(candidates[index].size, row, index) for row, alive in enumerate(rooms) for index in alive]
    sizes, rows, columns = np.array(entries, float).T
    matrix: Any = csr_array((sizes, (rows, columns)), shape=(len(rooms), len(candidates)))
    limits: Any = np.array(list(rooms.values()), float)
    unit = float(np.gcd.reduce([c.saved for c in candidates]))
    found = milp(
        [-c.saved / unit for c in candidates],
        integrality=np.ones(len(candidates)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, ub=limits),
        options={"time_limit": SECONDS, "mip_rel_gap": 0.0},
    )
    bound = total if found.mip_dual_bound is None else min(total, round(-found.mip_dual_bound * unit))
    if found.x is None:
        return greedy(candidates, free), bound, False
    chosen = {c.position for c, share in zip(candidates, found.x, strict=True) if share > 0.5}
    return chosen, bound, found.status == 0


def _crowded(candidates: Sequence[Candidate], free: np.ndarray) -> dict[tuple[int, ...], int]:
    """Return the bytes free by the candidates alive, of the nodes where not all of these fit; the fewest of several."""
    alive: list[list[int]] = [[] for _ in free]
    for index, candidate in enumerate(candidates):
        for node in range(candidate.position, candidate.end + 1):
            alive[node].append(index)
    rooms: dict[tuple[int, ...], int] = {}
    for indices, room in zip(map(tuple, alive), np.maximum(free, 0).tolist(), strict=True):
        if sum(candidates[index].size for index in indices) > room:
            rooms[indices] = min(room, rooms.get(indices, room))
    return rooms
