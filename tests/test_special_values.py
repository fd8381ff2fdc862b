"""Every sample with -inf, inf, NaN, the largest numbers, 0 and denormals in its inputs, weights and constants.

Derived from the samples, so that a new op has the test. What differs from torch is listed with its reason in
`special_values.DIFFERENT`; by default a small sample of each op is tried, all of them with the marker `sweep`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.samples import SAMPLES
from tests.samples.form import Sample
from tests.special_values import DIFFERENT, HUGE_KINDS, SPECIAL, differs, fault, floats_of, put, run
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import DType, Graph, Weight, Weights
from ttc.ir.state import state_name
from ttc.ops.torch_types import stored_as
from ttc.pipeline import Options, compile_graph

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in cast:RuntimeWarning")
TOLERANCE = {"fp32": 1e-4, "bf16": 0.1}
"""Of an element, or of 1: what is NaN, infinite or a neighbour's is far beyond either."""

LARGEST_SAMPLE = 200_000
"""Elements of a value up to which samples are tried."""


def size_of(sample: Sample) -> int:
    """Elements of a sample's largest value."""
    return max(value.type.numel for node in sample.graph()[0].nodes for value in node.results)


SMALL = [sample for sample in SAMPLES if size_of(sample) <= LARGEST_SAMPLE]
SMALLEST = [
    min((sample for sample in SMALL if sample.kind is kind), key=size_of)
    for kind in dict.fromkeys(sample.kind for sample in SMALL)
]


def rounded(x: torch.Tensor, dtype: str) -> torch.Tensor:
    """An input as a program of `dtype` reads it."""
    if dtype == "fp32" or not x.is_floating_point():
        return x
    return stored_as(x, DType.bf16).to(x.dtype)


def with_weights(graph: Graph, dtype: str) -> Graph:
    """The graph with its weights as a program of `dtype` holds them."""

    def held(weight: Weight) -> Weight:
        array = rounded(torch.from_numpy(np.array(weight.read())), dtype).numpy() if weight.read else None
        return Weight(weight.type, lambda: array)

    return replace(graph, weights=Weights({ref: held(weight) for ref, weight in graph.weights.items()}))


def faults(sample: Sample, dtype: str, kinds: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """(operand, kind of numbers, what is wrong) wherever a program of the sample differs from the op's meaning."""
    graph, inputs = sample.graph()
    try:
        build = compile_graph(graph, Options(TARGETS["n150"], dtype))
    except Refused:
        return
    for name in floats_of(graph, inputs):
        for kind in kinds:
            filled, given = put(graph, inputs, name, SPECIAL[kind])
            filled = with_weights(filled, dtype)
            given = {key: rounded(x, dtype) for key, x in given.items()}
            found = run(build, filled, given)
            for key, wanted in ops.evaluate(filled, given).items():
                if state_name(key) is not None:  # the session keeps states; the samples give these as outputs too
                    continue
                wrong = fault(found[key], wanted.numpy(), TOLERANCE[dtype], kind in HUGE_KINDS)
                if wrong:
                    yield name, kind, f"{dtype} {sample}, {kind} in {name}: {wrong}"


def unlisted(samples: list[Sample], dtype: str, kinds: tuple[str, ...]) -> list[str]:
    return [
        wrong
        for sample in samples
        for name, kind, wrong in faults(sample, dtype, kinds)
        if not differs(sample.kind, name, kind)
    ]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_sample_of_each_op_treats_special_numbers_as_torch_does(dtype: str):
    wrong = unlisted(SMALLEST, dtype, ("infinities", "nan", "lowest", "denormal"))
    assert not wrong, "\n".join(wrong)


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", SPECIAL)
def test_every_sample_treats_special_numbers_as_torch_does(dtype: str, kind: str):
    wrong = unlisted(SMALL, dtype, (kind,))
    assert not wrong, "\n".join(wrong)


@pytest.mark.sweep
def test_what_is_listed_as_different_is_different():
    listed = [sample for sample in SMALL if any(kind is sample.kind for kind, _ in DIFFERENT)]
    found = {
        (sample.kind, name)
        for dtype in ("fp32", "bf16")
        for sample in listed
        for name, _, _ in faults(sample, dtype, tuple(SPECIAL))
    }
    constants = {(sample.kind, name) for sample, name in CONSTANTS}
    assert set(DIFFERENT) - constants <= found, "take the reason out of the list"


CONSTANTS = [
    (sample, name)
    for sample in SMALL
    for name, item in sample.fields.items()
    if isinstance(item, str) and " in f" in item
]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(("sample", "name"), CONSTANTS, ids=str)
def test_constants_may_be_special_numbers(sample: Sample, name: str, dtype: str):
    """Infinite, not a number, the largest, 0: what constants and attributes become is as torch has it."""
    wrong = []
    for kind, numbers in SPECIAL.items():
        number = stored_as(torch.tensor(numbers[0]), DType.f32).item()
        constant = f"{number} in f{sample.fields[name].split(' in f')[1]}"
        graph, inputs = replace(sample, fields={**sample.fields, name: constant}).graph()
        given = {key: rounded(x, dtype) for key, x in inputs.items()}
        if differs(sample.kind, name, kind):
            continue
        found = run(compile_graph(graph, Options(TARGETS["n150"], dtype)), graph, given)
        for key, wanted in ops.evaluate(graph, given).items():
            apart = fault(found[key], wanted.numpy(), TOLERANCE[dtype], kind in HUGE_KINDS)
            wrong += [f"{kind}: {apart}"] if apart else []
    assert not wrong, "\n".join(wrong)
