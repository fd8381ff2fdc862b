"""The facts on each op's class, held against what the op gives; and that a wrong one is seen, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product
from math import inf, nan

import pytest
import torch
from torch import Tensor

from tests.ops.element_facts import elementwise, found_facts
from tests.ops.fact_forms import OF_KIND, UNARY, Sample
from ttc import ops
from ttc.ir import Input, Op
from ttc.ir.graph import field_names
from ttc.ops.binary import Binary
from ttc.ops.facts import LARGE, Exactness, Facts, Finite, facts_of
from ttc.ops.interpret import evaluate_op
from ttc.ops.spatial import Spatial
from ttc.ops.unary import Unary

LARGEST = torch.finfo(torch.float32).max
ORDINARY = (0.0, -0.0, 1.0, -1.0, LARGE, -LARGE, 0.3, -7.0)
HUGE = (0.0, 1.0, -1.0, -LARGE, LARGEST, -LARGEST)
INFINITE = (*ORDINARY, LARGEST, -LARGEST, inf, -inf, nan)
CLOSE = 0.01
"""How close a stated end must be to the numbers that are seen."""

BOUNDED = 10.0
"""Results that are no larger, whatever goes in, must be said to be bounded."""


@dataclass(frozen=True)
class Run:
    """What an op's floating operands held, by name, and its first result."""

    operands: dict[str, Tensor]
    result: Tensor


@cache
def runs(kind: type[Op], numbers: tuple[float, ...]) -> list[Run]:
    """Each form on operands that hold one number each, and on some of the numbers in any order."""
    generator = torch.Generator().manual_seed(3)
    pairs = [*product(numbers, repeat=2)] if len(numbers) < 12 else [(n, n) for n in numbers[:: len(numbers) // 12]]
    return [run for form in OF_KIND[kind] for run in _runs(form, numbers, [*pairs, *[None] * 30], generator)]


def _runs(
    form: Sample, numbers: tuple[float, ...], pairs: Sequence[tuple[float, float] | None], generator: torch.Generator
) -> Iterator[Run]:
    """With a pair, the first floating operand is all of its first number and the others of its second."""
    graph, given = form.graph()
    op = next(node.op for node in graph.nodes if isinstance(node.op, form.kind))
    floating = [name for name, tensor in given.items() if tensor.is_floating_point()]
    for pair in pairs if floating else [None]:
        for place, name in enumerate(floating):
            drawn = torch.randint(len(numbers), given[name].shape, generator=generator)
            chosen = torch.tensor(numbers)[drawn]
            given[name] = torch.full_like(given[name], pair[min(place, 1)]) if pair else chosen
        known = {value: given[value.op.name] for value in op.operands() if isinstance(value.op, Input)}
        known |= {value: evaluate_op(value.op, known.__getitem__)[0] for value in op.operands() if value not in known}
        yield Run(dict(given), evaluate_op(op, known.__getitem__)[0])


def complaints(kind: type[Op], facts: Facts) -> list[str]:
    """What is not so, and what is so and not said."""
    of_numbers = (*_of_finite(kind, facts.finite), *_of_span(kind, facts), *_of_slope(kind, facts))
    return [*of_numbers, *_of_hull(kind, facts), *_of_elements(kind, facts), *_of_exactness(kind, facts)]


def _of_elements(kind: type[Op], facts: Facts) -> Iterator[str]:
    for name, found in found_facts(kind).items():
        if getattr(facts, name) is not found:
            yield f"{name} is {found}, not {getattr(facts, name)}"


KEPT = """
    abs add and atan atan2 cast ceil clamp concat cumprod cumsum div embedding eq exp expand fill_blocks flip floor
    floor_div fmod gather gcd ge gt le log log1p lt max maximum mean min minimum mul ne neg not or pad permute pow
    prod reciprocal relu remainder repeat reshape round rsqrt scatter sign slice sqrt sub sum topk trunc upsample
    where write_rows xor
"""
SIGNAL = "conv cos linear matmul sin tanh"


def _of_exactness(kind: type[Op], facts: Facts) -> Iterator[str]:
    """A choice, which no evaluation tells: an op is in these lists if it has been thought of."""
    lists = {Exactness.KEPT: KEPT, Exactness.SIGNAL: SIGNAL}
    chosen = next((each for each, names in lists.items() if kind.mnemonic in names.split()), Exactness.LOST)
    if facts.exactness is not chosen:
        yield f"exactness is {chosen}, not {facts.exactness}"


def _of_finite(kind: type[Op], stated: Finite) -> Iterator[str]:
    ordinary, huge = (all(bool(run.result.isfinite().all()) for run in runs(kind, n)) for n in (ORDINARY, HUGE))
    seen = Finite.SOME if not ordinary else Finite.ALL if huge else Finite.ORDINARY
    if seen is not stated:
        yield f"it is finite for {seen}, not {stated}"


def _of_span(kind: type[Op], facts: Facts) -> Iterator[str]:
    results = torch.cat([run.result.double().flatten() for run in (*runs(kind, INFINITE), *runs(kind, DENSE))])
    results = results[~results.isnan()]
    low, high = results.min().item(), results.max().item()
    for stated, seen, sign in ((facts.span[0], low, 1), (facts.span[1], high, -1)):
        if sign * stated > sign * seen + 1e-6:
            yield f"{seen} is beyond {stated}"
        elif abs(stated) != inf and abs(stated - seen) > CLOSE:
            yield f"{stated} is far from {seen}"
        elif abs(stated) == inf and not facts.within and results.numel() and _worth_saying(seen, sign):
            yield f"nothing is beyond {seen}"


DENSE = tuple(torch.linspace(-12, 12, 481).tolist())


def _worth_saying(seen: float, sign: int) -> bool:
    """Whether an end that is not stated would tell a sign or a bound."""
    return sign * seen >= 0 or abs(seen) < BOUNDED


def _of_slope(kind: type[Op], facts: Facts) -> Iterator[str]:
    ways = {way for form in OF_KIND[kind] for way in _ways(form)} if kind in OF_ONE else set()
    slopes = {frozenset({1}): 1, frozenset({-1}): -1}
    seen = slopes.get(frozenset(ways), 0)
    if seen != facts.slope:
        yield f"its slope is {seen}, not {facts.slope}"


OF_ONE = (*UNARY, ops.Clamp)


def _ways(form: Sample) -> set[int]:
    """Whether results rise (1) and fall (-1) from each number of the domain to the next."""
    graph, _ = form.graph()
    op = next(node.op for node in graph.nodes if isinstance(node.op, form.kind))
    y = op.eval(torch.tensor(DENSE, dtype=torch.float64)).tolist()  # type: ignore[attr-defined]
    steps = [b - a for a, b in pairwise(y) if a == a and b == b and abs(a) != inf and abs(b) != inf]
    return {1 if step > 0 else -1 for step in steps if abs(step) > 1e-9}


def _of_hull(kind: type[Op], facts: Facts) -> Iterator[str]:
    names = sorted(runs(kind, ORDINARY)[0].operands)
    within = sorted(name for name in names if name.rstrip("0123456789") in facts.within)
    if facts.within and not within:
        yield f"there is no operand {facts.within}"
    if within and not all(_holds(run, within) for run in runs(kind, DENSE)):
        yield f"results are not within {within}"
    floats = [name for name in names if runs(kind, ORDINARY)[0].operands[name].is_floating_point()]
    if not within and floats and all(_holds(run, floats) for run in runs(kind, DENSE)):
        yield f"results are within {floats}"


def _holds(run: Run, names: list[str]) -> bool:
    """Whether all results lie between the least and the largest element of these operands."""
    held = torch.cat([run.operands[name].double().flatten() for name in names if name in run.operands])
    result = run.result.double()
    return bool(((result >= held.min() - 1e-4) & (result <= held.max() + 1e-4)).all())


KINDS = [kind for kind in vars(ops).values() if isinstance(kind, type) and issubclass(kind, Op)]
KINDS = [kind for kind in KINDS if kind not in (ops.Full, ops.Literal)]
NAMES = [kind.__name__ for kind in KINDS]


def test_every_op_has_facts_of_its_own():
    assert [kind.__name__ for kind in KINDS if "facts" not in vars(kind)] == []
    assert set(KINDS) == set(OF_KIND)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_facts_are_what_an_op_does(kind):
    assert complaints(kind, kind.facts) == []


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_wrong_fact_is_seen(kind):
    unseen = [wrong for wrong in wrong_facts(kind.facts) if not complaints(kind, wrong)]
    assert unseen == []


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_class_of_an_op_says_if_it_is_elementwise_or_of_images(kind):
    assert issubclass(kind, (Unary, Binary, ops.Where)) == all(map(elementwise, OF_KIND[kind]))
    assert issubclass(kind, Spatial) == ("rows" in field_names(kind))


def wrong_facts(facts: Facts) -> Iterator[Facts]:
    """The facts with each one changed: in what numbers stay finite, in sign and bound, in slope, in hull and so on."""
    yield from (replace(facts, finite=other) for other in Finite if other is not facts.finite)
    yield from (replace(facts, exactness=other) for other in Exactness if other is not facts.exactness)
    for name, stated in vars(facts).items():
        if isinstance(stated, bool):
            yield replace(facts, **{name: not stated})
    low, high = facts.span
    if not facts.within:
        for span in {(0.0, inf), (-inf, 0.0), (-1.0, 1.0), (-inf, inf), (low, high / 2), (low / 2, high)}:
            if span != facts.span:
                yield replace(facts, span=span)
    yield from (replace(facts, slope=other) for other in (-1, 0, 1) if other != facts.slope)
    yield replace(facts, within=() if facts.within else ("x", "a", "w"))


def test_the_facts_of_an_op_are_those_of_its_class():
    assert facts_of(OF_KIND[ops.Relu][0].graph()[0].nodes[-1].op) is ops.Relu.facts
