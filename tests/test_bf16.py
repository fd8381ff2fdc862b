"""bf16 programs of every sample, grown to sizes of 512 and positions of 4,096, against torch in float64.

Derived from the samples: each size of at least 7 in turn becomes 512 (the rows of a table 4,096) wherever a field has
it, if the op still fits; what decides by positions gets positions instead of small numbers. By default a sample of each
op is tried, all of them with the marker `sweep`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.samples import SAMPLES
from tests.samples.form import Pattern, Sample
from tests.special_values import run
from ttc import ops
from ttc.calls.target import TARGETS
from ttc.errors import Refused, TtcError
from ttc.ir import DType
from ttc.ir.state import state_name
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import pcc

ACCURACY = 0.999
LARGE, POSITIONS = 512, 4096
GROWN = 7
"""The smallest size that is grown: what is smaller is a kernel, a number of heads or of groups."""

MOST = 3 << 20
"""Elements of a value up to which a grown sample is tried."""

SHAPES = re.compile(r"\[([\d,]*)\]")


def grown(sample: Sample, size: int, to: int) -> Sample | None:
    """The sample with `size` replaced wherever it stands for a size; None if the op does not fit then."""
    if isinstance(sample, Pattern):
        return None

    def number(item: Any) -> Any:
        if isinstance(item, str):
            return SHAPES.sub(lambda m: f"[{','.join(str(number(int(n))) for n in m[1].split(',') if n)}]", item)
        if isinstance(item, (list, tuple)):
            return type(item)(number(part) for part in item)
        return to if item == size and not isinstance(item, (bool, float)) else item

    ranges = {name: tuple(map(number, b)) if isinstance(b, tuple) else b for name, b in sample.ranges.items()}
    larger = replace(sample, fields={name: number(item) for name, item in sample.fields.items()}, ranges=ranges)
    try:
        graph = larger.graph()[0]
    except (TtcError, AssertionError, RuntimeError):
        return None
    sizes = [value.type.numel for node in graph.nodes for value in node.results]
    return larger if max(sizes) <= MOST and "distinct" not in ranges.values() else None


def variants(sample: Sample) -> Iterator[Sample]:
    """The sample, with each of its sizes grown, and with positions for numbers where it decides by them."""
    yield sample
    text = " ".join(map(str, sample.fields.values()))
    sizes = {int(n) for shape in SHAPES.findall(text) for n in shape.split(",") if n}
    for size in sorted((n for n in sizes if GROWN <= n < LARGE), reverse=True):
        table = isinstance(sample.fields.get("w"), str) and sample.kind is ops.Embedding and size == 50
        larger = grown(sample, size, POSITIONS if table else LARGE)
        if larger is not None:
            yield larger
    floats = [name for name, item in sample.fields.items() if isinstance(item, str) and item.startswith("f32[")]
    if floats and (sample.kind is ops.Cast or sample.kind.facts.decides):
        yield replace(sample, ranges={**sample.ranges, **{name: (1.0, float(POSITIONS)) for name in floats}})


def of_dtype(sample: Sample, dtype: DType) -> Sample:
    """The sample in another floating dtype, with the same numbers."""
    if isinstance(sample, Pattern):
        return replace(sample, text=sample.text.replace("f32", dtype.name))

    def other(item: Any) -> Any:
        if isinstance(item, str):
            return item.replace("f32[", f"{dtype.name}[")
        if isinstance(item, list):
            return [other(part) for part in item]
        return dtype if item is DType.f32 else item

    return replace(sample, fields={name: other(item) for name, item in sample.fields.items()})


def faults(sample: Sample) -> Iterator[str]:
    """What a bf16 program of the sample, or of a variant of it, gives that float64 does not."""
    for variant in variants(sample):
        graph, inputs = variant.graph()
        try:
            build = compile_graph(graph, Options(TARGETS["n150"], "bf16"))
        except Refused:
            continue
        found = run(build, graph, inputs)
        for name, wanted in ops.evaluate(*of_dtype(variant, DType.f64).graph()).items():
            if state_name(name) is None:  # the session keeps states; the samples give their numbers as outputs too
                yield from (f"{variant} {name}: {wrong}" for wrong in fault(variant, name, found[name], wanted.numpy()))


def fault(sample: Sample, name: str, found: np.ndarray, wanted: np.ndarray) -> Iterator[str]:
    """Whole numbers and truths are exact; floats correlate, or as well as torch's where its own bf16 does worse.

    That is so of states that grow without bound, as errors in them do: recurrences with 512 random weights a unit.
    """
    if not np.issubdtype(wanted.dtype, np.floating):
        if not np.array_equal(found, wanted):
            yield f"{int((found != wanted).sum())} of {wanted.size} differ"
    elif wanted.size and (correlation := pcc(found, wanted)) < ACCURACY:
        own = pcc(ops.evaluate(*of_dtype(sample, DType.bf16).graph())[name].float().numpy(), wanted)
        if 1 - correlation > 1.1 * (1 - own):
            yield f"PCC {correlation:.5f}, torch's bf16 {own:.5f}"


def cost(sample: Sample) -> int:
    return max(value.type.numel for node in sample.graph()[0].nodes for value in node.results)


FEW = [
    min((sample for sample in SAMPLES if sample.kind is kind), key=cost)
    for kind in dict.fromkeys(sample.kind for sample in SAMPLES)
]


def test_a_sample_of_each_op():
    wrong = [text for sample in FEW for text in faults(sample)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.sweep
@pytest.mark.parametrize("part", range(8))
def test_every_sample(part: int):
    wrong = [text for sample in SAMPLES[part::8] for text in faults(sample)]
    assert not wrong, "\n".join(wrong)


def test_samples_do_grow():
    """A rule that grew nothing would pass everything."""
    larger = [sample for sample in SAMPLES if len(list(variants(sample))) > 1]
    assert len(larger) > len(SAMPLES) / 2
    tables = [v for sample in SAMPLES if sample.kind is ops.Embedding for v in variants(sample)]
    assert any("4096" in str(table) for table in tables)
    assert torch.finfo(torch.bfloat16).eps * POSITIONS > 1  # positions that bf16 does not tell apart
