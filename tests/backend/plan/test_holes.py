"""Holes in L1: the allocator on values beside TTNN's, and the searches beside all that there is, on small cases."""

from __future__ import annotations

from itertools import permutations, product
from random import Random

import pytest

from tests.mock_cards import check_many
from ttc.analysis.memory import Arena
from ttc.analysis.residency import Held, Moment, depths, l1_bank, live_at_most, replay, schedule
from ttc.backend.plan.close_holes import close_holes
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.backend.plan.holes.blocks import Blocks, Step, after, alive, choices, dead
from ttc.backend.plan.holes.calls import Calls
from ttc.backend.plan.holes.keep import Budget, Effort, Keeping
from ttc.backend.plan.holes.proof import is_least
from ttc.calls.call import Workspace
from ttc.calls.target import TARGETS
from ttc.commands.check import placement
from ttc.ir import verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
ALL = Effort(tuple(range(1, 20)), 10**6)


def random_steps(random: Random, count: int) -> list[Step]:
    """Calls that each make a buffer or two, some with buffers inside, and read buffers for the last time at random."""
    living: list[int] = []
    steps: list[Step] = []
    number = 0
    for at in range(count):
        inside = tuple(random.choice((32, 64, 96)) for _ in range(random.choice((0, 0, 1, 3))))
        passing = random.randint(0, max(0, len(inside) - 1))
        made = tuple((number := number + 1, random.choice((32, 64, 128))) for _ in range(random.choice((1, 1, 2))))
        living += (n for n, _ in made)
        ends = frozenset(n for n in living if random.random() < 0.4)
        living = [n for n in living if n not in ends]
        steps.append(Step(at, inside, passing, made, ends, 10**6))
    return steps


@pytest.mark.parametrize("seed", range(20))
def test_the_allocator_on_values_is_that_of_the_replay(seed: int):
    steps = random_steps(Random(seed), 12)
    held, blocks = Held(Arena(l1_bank(N150))), Blocks()
    for step in steps:
        moment = Moment(Workspace(l1=step.inside, passing=step.passing), step.made, ())
        blocks, used = after(blocks, step, dead(blocks))
        assert held.past(moment)[0] == used
        assert {abs(n): end for _, end, n in blocks} == {abs(n): held.depth(abs(n)) for _, _, n in blocks}
        held.past(Moment(Workspace(), (), tuple(step.ends)))


def every(blocks: Blocks) -> list[frozenset[int]]:
    gone = sorted(dead(blocks))
    return [
        frozenset(n for n, taken in zip(gone, way, strict=True) if taken) for way in product((0, 1), repeat=len(gone))
    ]


@pytest.mark.parametrize("seed", range(30))
def test_choices_are_all_that_times_of_deallocation_make_of_a_call(seed: int):
    random = Random(seed)
    steps = random_steps(random, 7)
    blocks = Blocks()
    for step in steps[:-1]:
        blocks, _ = after(blocks, step, random.choice(every(blocks)))
    limit = random.choice((200, 400, 10**6))
    found = [(way, used) for way, _, used in choices(blocks, steps[-1], limit) if used <= limit]
    for freed in every(blocks):
        way, used = after(blocks, steps[-1], freed)
        if used <= limit:
            same = [other for other, _ in found if alive(other) == alive(way)]
            assert any(set(way) <= set(other) for other in same), (blocks, freed)


def least(steps: list[Step]) -> int:
    """Return the lowest peak of all times of deallocation."""
    ways = {(): 0}
    for step in steps:
        new: dict[Blocks, int] = {}
        for blocks, peak in ways.items():
            for freed in every(blocks):
                way, used = after(blocks, step, freed)
                new[way] = min(new.get(way, 10**9), max(peak, used))
        ways = new
    return min(ways.values())


def peak_of(steps: list[Step], until: dict[int, int]) -> int:
    blocks, peak = Blocks(), 0
    for at, step in enumerate(steps):
        freed = frozenset(n for n in dead(blocks) if until.get(-n, 0) <= at)
        blocks, used = after(blocks, step, freed)
        peak = max(peak, used)
    return peak


@pytest.mark.parametrize("seed", range(25))
def test_times_found_are_as_good_as_the_best_of_all(seed: int):
    steps = random_steps(Random(100 + seed), 6)
    best = least(steps)
    assert best <= peak_of(steps, {})
    found = Keeping(steps, best, ALL, Budget(10**6)).times()
    assert (found.peak, found.misses, peak_of(steps, found.until)) == (best, (), best)
    below = Keeping(steps, best - 1, ALL, Budget(10**6)).times()
    assert below.misses
    assert peak_of(steps, below.until) == below.peak >= best
    for number in found.until:  # each buffer that is kept must be
        rest = {other: at for other, at in found.until.items() if other != number}
        assert peak_of(steps, rest) > best or len(found.until) > 1


def test_times_differ_where_they_must():
    kept = [
        Keeping(s := random_steps(Random(100 + i), 6), least(s), ALL, Budget(10**6)).times().until for i in range(25)
    ]
    assert sum(map(bool, kept)) >= 5


def test_without_a_budget_buffers_are_freed_at_once():
    steps = random_steps(Random(103), 6)
    found = Keeping(steps, least(steps), ALL, Budget(0)).times()
    assert found.until == {}
    assert found.peak == peak_of(steps, {})


IN_L1 = "memory_config=MemoryConfig(buffer=L1)"


def read(at: int) -> str:
    call = f"ttnn.slice(%v{at}, [0, 0], [32, 32], memory_config=MemoryConfig())"
    return f"  %y{at}: bf16[32,32] tile dram = {call}"


def program(random: Random, count: int) -> str:
    """A program of calls that read a tensor in DRAM or in L1, and leave one, two or three tiles a core in L1."""
    lines = ['  %x: bf16[6144,32] tile dram = input(name="x")']
    tiles, late = [3], list[int]()
    for at in range(1, count + 1):
        source = random.choice((0, 0, at - 1))
        tiles.append(random.randint(1, tiles[source]))
        operand = f"%v{source}" if source else "%x"
        rows = 2048 * tiles[-1]
        lines.append(f"  %v{at}: bf16[{rows},32] tile l1 = ttnn.slice({operand}, [0, 0], [{rows}, 32], {IN_L1})")
        if len(late) > 2:
            lines.append(read(late.pop(random.randrange(3))))
        if random.random() < 0.3:
            late.append(at)
        else:
            lines.append(read(at))
    lines += map(read, late)
    outputs = ", ".join(f'"y{at}"=%y{at}' for at in range(1, count + 1))
    return "\n".join(["graph {", *lines, f"  return {outputs}", "}"])


def orders(calls: Calls) -> list[tuple[int, ...]]:
    found = permutations(range(len(calls.nodes)))
    return [order for order in found if all(calls.needs[n] <= set(order[:at]) for at, n in enumerate(order))]


@pytest.mark.parametrize("seed", range(12))
def test_a_proof_is_a_search_through_all_orders_and_times(seed: int):
    calls = Calls(parse_program(program(Random(seed), 3)), N150)
    best = min(least(calls.steps(order)[0]) for order in orders(calls))
    assert is_least(calls, best)
    assert not is_least(calls, best + 1)
    assert not is_least(calls, best, states=0)


def random_programs() -> list[str]:
    return [program(Random(seed), 14) for seed in range(60)]


def test_programs_take_less_and_compute_the_same():
    fewer = 0
    for text in random_programs():
        graph = deallocate_after_last_use(parse_program(text), N150)
        found = verify(close_holes(graph, N150))
        before, now = (replay(schedule(part, N150), N150).buffers for part in (graph, found))
        assert sorted(map(str, found.nodes)) == sorted(map(str, graph.nodes))
        assert (found is graph) == (now == before)
        assert now <= before
        fewer += now < before
        assert close_holes(found, N150) is found or now > live_at_most(schedule(found, N150))
    assert fewer >= 10


def test_the_real_allocator_puts_buffers_that_are_kept_where_the_replay_does(ttnn_python: str):
    graphs = [
        close_holes(deallocate_after_last_use(parse_program(text), N150), N150) for text in random_programs()[:12]
    ]
    for graph, found in zip(graphs, check_many([str(graph) for graph in graphs], N150), strict=True):
        assert found.ok, found.faults
        assert placement(found, depths(graph, N150)) == {"l1_buffers": len(depths(graph, N150)), "l1_misplaced": 0}
