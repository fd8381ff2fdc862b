"""Holes in L1: where buffers take more than what lives, other times of deallocation and another order of calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ttc.analysis.residency import live_at_most, replay, schedule
from ttc.backend.plan.bodies import in_bodies
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.backend.plan.holes.blocks import Step
from ttc.backend.plan.holes.calls import Calls, Order
from ttc.backend.plan.holes.keep import Budget, Effort, Keeping, Times
from ttc.calls.layout import Deallocate
from ttc.calls.target import Target
from ttc.ir import Graph, Node

CALLS = 15_000
"""Calls that each of the three searches of a program, or of a loop's body, puts to the allocator: 0.2 s."""

FAR, NEAR = Effort((1, 2, 4, 6, 8, 12, 16, 24, 32), 8), Effort((2, 4, 8), 4)
"""Efforts for the order that a program has, and for each of many others."""

BACK = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Steps before a miss, from which on what the miss needs is tried first."""


def close_holes(graph: Graph, target: Target) -> Graph:
    """Free buffers of L1 later, and call in another order, where the allocator's holes are all that L1 has too much.

        %b = ttnn.exp(%a)                      %b = ttnn.exp(%a)
        ttnn.deallocate(%a)                    %c: small = ttnn.sum(%b)
        %c: small = ttnn.sum(%b)         ->    ttnn.deallocate(%a)
        %d: large = ttnn.expand(%b)            %d: large = ttnn.expand(%b)

    A buffer comes into the uppermost gap that holds the buffer. So a small one that lives on may take a part of the
    place that a large one will need, and the large one comes below all others. A dead buffer that stays meanwhile
    keeps the place whole. That costs no program and no time, and no order does; the replay on the allocator judges.
    """
    graph = in_bodies(graph, lambda body: close_holes(body, target))
    moments = schedule(graph, target)
    before, live = replay(moments, target), live_at_most(moments)
    if before.buffers <= live:
        return graph
    calls = Calls(graph, target)
    order, times = _search(calls)
    closed = _freed(deallocate_after_last_use(_ordered(graph, calls, order), target), calls, order, times.until)
    after = replay(schedule(closed, target), target)
    return closed if after.buffers < before.buffers and len(after.clashes) <= len(before.clashes) else graph


def _search(calls: Calls) -> tuple[Order, Times]:
    """Return the order and the times of deallocation with the lowest peak that a bounded search finds."""
    order = tuple(range(len(calls.nodes)))
    steps, live = calls.steps(order)
    best = Keeping(steps, live, FAR, Budget(CALLS)).times()
    budget, tried = Budget(CALLS), {order}
    while best.misses and budget.calls > 0:
        for other in _orders(calls, order, steps, best):
            if budget.calls <= 0:
                break
            if other in tried:
                continue
            tried.add(other)
            others, bound = calls.steps(other)
            found = Keeping(others, bound, NEAR, budget).times()
            if _missed(found) < _missed(best):
                order, steps, live, best = other, others, bound, found
                break
        else:
            break
    return order, min(best, Keeping(steps, live, FAR, Budget(CALLS)).times(), key=_missed)


def _missed(times: Times) -> tuple[int, int]:
    return times.peak, len(times.misses)


def _orders(calls: Calls, order: Order, steps: list[Step], times: Times) -> Iterator[Order]:
    """Yield orders in which a step that takes too much, or the last reader of what that makes, comes earlier."""
    for miss in reversed(times.misses):
        here = steps[miss].node
        for back in BACK:
            if back > miss:
                break
            start = steps[miss - back].node
            for wanted in sorted({here, calls.last_reader(order, steps[miss])}):
                yield calls.first(order, start, wanted)


def _ordered(graph: Graph, calls: Calls, order: Order) -> Graph:
    return replace(graph, nodes=tuple(calls.nodes[index] for index in order))


def _freed(graph: Graph, calls: Calls, order: Order, until: Mapping[int, int]) -> Graph:
    """Return a program with the deallocation of each buffer in `until` moved right before that step's call."""
    steps, _ = calls.steps(order)
    kept = {calls.values[number - 1]: at for number, at in until.items()}
    later: dict[int, list[Node]] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node.op, Deallocate) and node.op.tensor in kept:
            at = kept[node.op.tensor]
            later.setdefault(id(calls.nodes[order[steps[at].node]]) if at < len(steps) else 0, []).append(node)
        else:
            nodes += (*later.pop(id(node), ()), node)
    return replace(graph, nodes=(*nodes, *later.pop(0, ())))
