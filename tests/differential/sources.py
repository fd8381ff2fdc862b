"""The kinds of random programs: how they are numbered, tried, and made smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count as count_up

from tests.differential import onnx_trial, torch_trial
from tests.differential.onnx_program import draw_model
from tests.differential.outcome import Outcome
from tests.differential.shrink import shrunk
from tests.differential.torch_program import draw_program

TOGETHER = 16
"""Torch programs in one export."""

LENGTHS = (7, 12, 16)
"""The true length of programs in buckets, and the buckets."""


@dataclass(frozen=True)
class Found:
    """A numbered program and its outcomes by dtype; `smallest` is the program as text, as small as it still fails."""

    number: int
    outcomes: Mapping[str, Outcome]
    smallest: Callable[[str], str]


def seed_of(seed: int, number: int) -> int:
    return seed * 10**7 + number


def torch_programs(seed: int, first: int, count: int) -> Iterator[Found]:
    """Torch modules of fixed sizes."""
    for start in range(first, first + count, TOGETHER):
        numbers = range(start, min(start + TOGETHER, first + count))
        programs = [draw_program(seed_of(seed, number)) for number in numbers]
        for number, program, outcomes in zip(numbers, programs, torch_trial.try_batch(programs), strict=True):
            yield Found(number, outcomes, lambda dtype, program=program: _smallest(program, dtype))


def buckets(seed: int, first: int, count: int) -> Iterator[Found]:
    """Torch modules with a size that varies, run at a length below their buckets."""
    for number in range(first, first + count):
        drawn = (draw_program(seed_of(seed, number) + again * 10**9, LENGTHS[0], most=8) for again in count_up())
        program = next(p for p in drawn if any(LENGTHS[0] in argument.shape for argument in p.arguments))
        outcomes = {"fp32": torch_trial.try_program(program, "fp32", LENGTHS)}
        yield Found(number, outcomes, lambda dtype, program=program: _smallest(program, dtype, LENGTHS))


def onnx_programs(seed: int, first: int, count: int) -> Iterator[Found]:
    """ONNX graphs of fixed sizes."""
    for number in range(first, first + count):
        model = draw_model(seed_of(seed, number))
        outcomes = onnx_trial.try_model(model)
        yield Found(number, outcomes, lambda dtype, model=model: onnx_trial.smallest(model, dtype))


def _smallest(program, dtype: str, lengths: tuple[int, ...] = ()) -> str:
    return str(shrunk(program, lambda smaller: torch_trial.try_program(smaller, dtype, lengths).fault))


SOURCES = {"torch": torch_programs, "onnx": onnx_programs, "buckets": buckets}
