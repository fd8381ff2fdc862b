"""Safety lints over programs of every source, storage type and architecture; compiling looks at each program too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import ttc
from bench.sequence_models import SEQUENCES
from bench.sequences import _bucketed
from tests.cards import FIRST
from tests.differential.onnx_program import draw_model
from tests.differential.outcome import quiet
from tests.differential.sources import seed_of
from tests.differential.torch_program import draw_program
from ttc import models
from ttc.calls.lints import lint
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.errors import Refused, TtcError
from ttc.models import light
from ttc.pipeline import DTYPES

pytestmark = pytest.mark.filterwarnings("ignore")  # of the models' own packages


def linted(compiled: Compiled) -> Iterator[str]:
    """Yield the card and dtype of each program that the model has, after looking at all of its buckets."""
    for target in FIRST:
        for dtype in DTYPES:
            try:
                buckets = compiled.variant(target=target, dtype=dtype).executable.buckets
            except Refused:
                continue
            for bucket in buckets:
                assert list(lint(bucket.program.graph, TARGETS[target])) == []
            yield f"{target} {dtype}"


EACH = len(FIRST) * len(DTYPES)


SMALL = [(name, size) for name in models.NAMES for size in models.named(name).sizes if size in ("tiny", "odd")]
"""All models but MiniLM, which has its real size alone."""


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param(name, size, marks=[pytest.mark.sweep] * (name != "motif"))
        for name, size in [("minilm", "real"), *SMALL]
    ],
)
def test_models(name: str, size: str):
    module, inputs = models.named(name).build(size)
    assert len(list(linted(ttc.compile(module, kwargs=inputs)))) == EACH


@pytest.mark.sweep
@pytest.mark.parametrize("name", light.NAMES)
def test_networks_of_convolutions(name: str):
    assert len(list(linted(ttc.compile(light.seeded(name))))) == EACH


@pytest.mark.sweep
@pytest.mark.parametrize("name", SEQUENCES)
def test_buckets_of_sequence_models(name: str):
    assert len(list(linted(_bucketed(name)))) >= EACH // 2  # what block formats are not prepared for is refused


def random_models(seed: int, kind: str, count: int) -> Iterator[str]:
    """Compile random graphs, as far as they are not refused, in every dtype for each architecture."""
    for number in range(count):
        with quiet():
            try:
                if kind == "onnx":
                    compiled = ttc.compile(draw_model(seed_of(seed, number)).proto())
                else:
                    program = draw_program(seed_of(seed, number))
                    compiled = ttc.compile(program.module(), tuple(program.inputs()))
            except TtcError:
                continue
            yield from linted(compiled)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("onnx", 4),
        ("torch", 1),
        pytest.param("onnx", 400, marks=pytest.mark.sweep),
        pytest.param("torch", 100, marks=pytest.mark.sweep),
    ],
)
def test_random_graphs(kind: str, count: int):
    found = list(random_models(11, kind, count))
    assert len(found) >= count * EACH // 3
