"""The exact choice of values for L1: beside all choices there are, and beside the heuristic."""

import importlib.util
import random
from itertools import compress, product
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize

from tests.backend.plan.test_place import N150, in_l1
from ttc.analysis.residency import HEADROOM, l1_bank, replay, schedule
from ttc.backend.plan import place_exactly as exact
from ttc.backend.plan.place import Candidate, greedy, place
from ttc.backend.plan.place_exactly import place_exactly, spills
from ttc.calls.binary import Add
from ttc.calls.unary import Relu
from ttc.errors import TtcError
from ttc.ir import Builder, DType, Graph, Input, Spec, verify


def problem(seed: int, count: int, nodes: int) -> tuple[list[Candidate], np.ndarray]:
    dice = random.Random(seed)
    starts = sorted(dice.sample(range(nodes - 1), count))
    found = [Candidate(p, dice.randint(p, nodes - 1), dice.randint(1, 9), dice.randint(1, 30)) for p in starts]
    return found, np.array([dice.randint(-2, 20) for _ in range(nodes)])


def fits(candidates: list[Candidate], free: np.ndarray) -> bool:
    left = free.copy()
    for c in candidates:
        left[c.position : c.end + 1] -= c.size
    return all(left[c.position : c.end + 1].min() >= 0 for c in candidates)


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_saves_more(seed: int):
    candidates, free = problem(seed, 9, 14)
    choices = [list(compress(candidates, picks)) for picks in product((0, 1), repeat=len(candidates))]
    most = max(sum(c.saved for c in choice) for choice in choices if fits(choice, free))
    chosen, saved, proven = exact._solve(candidates, free)
    taken = [c for c in candidates if c.position in chosen]
    assert fits(taken, free)
    assert (sum(c.saved for c in taken), saved, proven) == (most, most, True)
    assert sum(c.saved for c in candidates if c.position in greedy(candidates, free)) <= most


@pytest.mark.parametrize("bound", [-1e9, None])
def test_without_time_the_choice_is_the_heuristics_and_nothing_is_proven(
    bound: float | None, monkeypatch: pytest.MonkeyPatch
):
    candidates, free = problem(1, 9, 14)
    stopped = SimpleNamespace(x=None, status=1, mip_dual_bound=bound)
    monkeypatch.setattr(scipy.optimize, "milp", lambda *given, **options: stopped)
    assert exact._solve(candidates, free) == (greedy(candidates, free), sum(c.saved for c in candidates), False)


@pytest.mark.parametrize("seed", range(4))
def test_the_solver_is_never_worse_and_the_plan_fits(seed: int):
    graph = crowded(seed)
    plan, best = place(graph, N150), verify(place_exactly(graph, N150))
    found, least = spills(plan, N150), spills(best, N150)
    assert found.least == least.least <= least.planned <= found.planned
    assert least.proven
    assert not replay(schedule(best, N150), N150).clashes
    assert replay(schedule(best, N150), N150).peak <= l1_bank(N150) - HEADROOM
    assert place_exactly(best, N150) is best or spills(place_exactly(best, N150), N150) == least


def crowded(seed: int) -> Graph:
    """Chains that read what was made long before, of values of which L1 holds a few."""
    dice = random.Random(seed)
    builder = Builder()
    values = [builder(Input(Spec(DType.bf16, (32 * 64 * tiles, 32)), f"x{tiles}")) for tiles in (100, 150, 230)]
    for _ in range(60):
        a = dice.choice(values[-5:])
        like = [value for value in values[-9:] if value.shape == a.shape]
        values.append(builder(dice.choice((Relu(a), Add(a, dice.choice(like))))))
    return builder.finish({"y": values[-1], "z": values[-2]})


def test_what_fits_all_spills_nothing():
    builder = Builder()
    x = builder(Input(Spec(DType.bf16, (64, 64)), "x"))
    placed = place(builder.finish({"y": builder(Relu(builder(Relu(x))))}), N150)
    assert in_l1(placed)
    found = spills(placed, N150)
    assert (found.planned, found.least, found.proven) == (0, 0, True)
    assert str(found) == "values outside L1 cost 0.0 MB of DRAM traffic; the optimum is 0.0 MB"


def test_without_the_solver_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TtcError) as caught:
        place_exactly(crowded(0), N150)
    assert str(caught.value) == "-O3 needs scipy: pip install 'tt-compile[exact]'"
