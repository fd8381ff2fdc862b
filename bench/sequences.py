"""Sequence models at their real sizes, at many lengths, alone and in buckets, against the packages' own modules.

    python -m bench.sequences [NAME ...] [--write]

`--write` renews docs/sequence-models.md. The exit status is 1 if a model misses its accuracy, or a card takes a
program not as predicted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import ttc
from bench.page import main
from bench.sequence_models import SEQUENCES, Sequence
from ttc import models
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.runtime.check import check_many
from ttc.validation.accuracy import pcc, scaled_error

PAGE = Path(__file__).parents[1] / "docs" / "sequence-models.md"
FP32_LIMIT, BF16_LIMIT = 1e-4, 0.999
HEAD = """# Sequence models

Modules of their packages as they are, at their published sizes with random weights: two samples of different lengths at
a time in buckets, and one alone at its own length. Errors are against the package's eager run of each sample at its
true length: the largest scaled error in fp32, the smallest correlation in bf16. Masks are those of a bucket, device
programs those of the largest bucket in bf16. The cards' columns say whether the real ttnn takes every program as
predicted. Written by `python -m bench.sequences --write`.

| model | buckets | fp32 | bf16 PCC | masks | programs | {cards} |
|---|---|---:|---:|---:|---:|{bars}|
"""

Arrays = dict[str, np.ndarray]
Measure = Callable[[np.ndarray, np.ndarray], float]


@cache
def module(name: str) -> nn.Module:
    return models.named(name).build("real")[0]


def drawn(sequence: Sequence, run: dict[str, list[int]]) -> list[dict[str, Tensor]]:
    """The inputs of each sample of a run, as long as the sample is."""
    torch.manual_seed(0)
    return [sequence.sample(**dict(zip(run, sizes, strict=True))) for sizes in zip(*run.values(), strict=True)]


def together(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """One batch of samples, filled up to the longest: floats with NaN, which must not matter."""
    return {name: batched([sample[name] for sample in samples]) for name in samples[0]}


def batched(tensors: list[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    filling = float("nan") if tensors[0].is_floating_point() else 0
    whole = tensors[0].new_full((len(tensors), *shape[1:]), filling)
    for row, tensor in zip(whole, tensors, strict=True):
        row[tuple(map(slice, tensor.shape[1:]))] = tensor[0]
    return whole


@cache
def bucketed(name: str, dtype: str, target: str = "n150") -> Compiled:
    """Two samples at a time, a program for each bucket."""
    return _bucketed(name).variant(dtype=dtype, target=target)


@cache
def _bucketed(name: str) -> Compiled:
    """The program from which the others are made, so that each model is exported once."""
    sequence = SEQUENCES[name]
    largest = {length: [max(sizes)] * 2 for length, sizes in sequence.buckets.items()}
    example = together(drawn(sequence, largest))
    shapes = {key: sequence.axes.get(key) for key in example}
    return ttc.compile(module(name), kwargs=example, dtype="fp32", dynamic_shapes=shapes, lengths=sequence.buckets)


def exact(name: str, dtype: str, target: str = "n150") -> Compiled:
    """One sample, the last of the first run, of its own length."""
    return _exact(name).variant(dtype=dtype, target=target)


@cache
def _exact(name: str) -> Compiled:
    return ttc.compile(module(name), kwargs=last(SEQUENCES[name]), dtype="fp32")


def last(sequence: Sequence) -> dict[str, Tensor]:
    """The inputs of the last sample of a model's first run."""
    return drawn(sequence, sequence.runs[0])[-1]


def arrays(tensors: dict[str, Tensor]) -> Arrays:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def wanted(name: str, sample: dict[str, Tensor]) -> list[np.ndarray]:
    """What the package's own module gives for one sample at its own length."""
    with torch.no_grad():
        return [leaf.numpy() for leaf in pytree.tree_leaves(module(name)(**sample))]


def valid(output: np.ndarray, number: int, shape: tuple[int, ...]) -> np.ndarray:
    """What is one sample's own in the output of a batch, where it has this shape alone."""
    return output[(slice(number, number + 1), *map(slice, shape[1:]))]


# ---------------------------------------------------------------- measuring


def in_buckets(sequence: Sequence, dtype: str, measure: Measure) -> list[float]:
    """Each output of each sample of all runs against the package's own for that sample alone."""
    figures = []
    for run in sequence.runs:
        samples = drawn(sequence, run)
        found = bucketed(sequence.name, dtype).run({**arrays(together(samples)), **run})
        for number, sample in enumerate(samples):
            for output, reference in zip(found.values(), wanted(sequence.name, sample), strict=True):
                figures.append(measure(valid(output, number, reference.shape), reference))
    return figures


def alone(sequence: Sequence, dtype: str, measure: Measure) -> list[float]:
    """A sample of no bucket's size in a program of its own."""
    sample = last(sequence)
    found = exact(sequence.name, dtype).run(arrays(sample))
    return [measure(*pair) for pair in zip(found.values(), wanted(sequence.name, sample), strict=True)]


def programs(sequence: Sequence, dtype: str, target: str) -> list[str]:
    """The texts of the programs alone and in buckets."""
    alone = exact(sequence.name, dtype, target).build.program
    return [str(each.graph) for each in (alone, *(b.program for b in bucketed(sequence.name, dtype, target).buckets))]


def faults(sequence: Sequence, dtype: str, target: str) -> list[str]:
    """What the real ttnn refuses or gives otherwise than predicted, of the programs alone and in buckets."""
    reports = check_many(programs(sequence, dtype, target), TARGETS[target])
    return [fault for report in reports for fault in report.faults]


@dataclass
class Row:
    """What one model gave."""

    sequence: Sequence
    fp32: float
    bf16: float
    masks: int
    programs: int
    cards: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether it is as accurate as it must be, and taken by every card."""
        accurate = self.fp32 <= FP32_LIMIT and self.bf16 >= BF16_LIMIT
        return accurate and all(word == "taken" for word in self.cards.values())

    def __str__(self) -> str:
        buckets = "; ".join(f"{name} {', '.join(map(str, sizes))}" for name, sizes in self.sequence.buckets.items())
        figures = f"{self.fp32:.1e} | {self.bf16:.5f} | {self.masks} | {self.programs}"
        return f"| {self.sequence.name} | {buckets} | {figures} | {' | '.join(self.cards.values())} |"


def measured(name: str) -> Row:
    """One model in both dtypes on all cards."""
    sequence = SEQUENCES[name]
    program = bucketed(name, "bf16")
    row = Row(
        sequence,
        fp32=max(in_buckets(sequence, "fp32", scaled_error) + alone(sequence, "fp32", scaled_error)),
        bf16=min(in_buckets(sequence, "bf16", pcc) + alone(sequence, "bf16", pcc)),
        masks=max(len(bucket.masks) for bucket in program.buckets),
        programs=program.report.device_programs,
    )
    for target in TARGETS:
        found = [fault for dtype in ("fp32", "bf16") for fault in faults(sequence, dtype, target)]
        row.cards[target] = "; ".join(found) or "taken"
    return row


if __name__ == "__main__":
    sys.exit(main("bench.sequences", "sequence models at many lengths", PAGE, HEAD, SEQUENCES, measured))
