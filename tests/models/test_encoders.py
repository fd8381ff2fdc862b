"""Transformer encoders at their real sizes: ViT-B/16, BERT-base, CLIP-L's text encoder."""

from __future__ import annotations

from functools import cache

import pytest
import torch

import ttc
from tests.cards import FIRST, SISTERS, swept
from tests.mock_cards import check
from ttc import models
from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.validation.accuracy import pcc

NAMES = ("vit", "bert", "clip_text")
one_model = pytest.mark.parametrize("name", [NAMES[0], *map(swept, NAMES[1:])])

MODEL_AND_CARD = [
    *((name, FIRST[0]) for name in NAMES),
    *((NAMES[0], other) for other in FIRST[1:]),
    *(swept(name, other) for name in NAMES[1:] for other in FIRST[1:]),
    *(swept(name, sister) for name in NAMES for sister in SISTERS),
]
"""The first model on the first card of each architecture, the others on one card; the rest in the sweep."""


@cache
def compiled(name: str, target: str) -> tuple[Compiled, torch.nn.Module, dict]:
    module, inputs = models.named(name).build("real")
    return ttc.compile(module, kwargs=inputs, target=target), module, inputs


@one_model
def test_bf16_correlates_with_torch(name: str):
    program, module, inputs = compiled(name, "n150")
    with torch.no_grad():
        wanted = module(**inputs)
    found = program(**inputs)
    for key, tensor in wanted.items():
        assert pcc(found[key].numpy(), tensor.numpy()) >= 0.999, key


@pytest.mark.parametrize(("name", "target"), MODEL_AND_CARD)
def test_real_ttnn_accepts_every_call_as_predicted(name: str, target: str, ttnn_python: str):
    program = compiled(name, target)[0]
    report = check(program.build.program, TARGETS[target])
    assert report.ok, report.faults
    predicted = program.report
    assert (predicted.device_programs, predicted.layout_conversions) == (report.device_programs, report.conversions)
    assert predicted.host_ops == 0


@pytest.mark.parametrize(("name", "target"), MODEL_AND_CARD)
def test_no_layout_conversion_between_first_and_last_encoder_layer(name: str, target: str):
    nodes = compiled(name, target)[0].build.program.graph.nodes
    norms = [i for i, node in enumerate(nodes) if node.op.mnemonic == "ttnn.layer_norm"]
    inside = nodes[norms[1] : norms[-1]]
    assert not [node.op.mnemonic for node in inside if isinstance(node.op, (ToLayout, Typecast))]


@pytest.mark.parametrize("name", ["vit", swept("bert")])
def test_fake_weights_give_the_same_program(name: str):
    module, inputs = models.named(name).build("real", fake=True)
    fake = ttc.compile(module, kwargs=inputs)
    assert str(fake.build.program.graph) == str(compiled(name, "n150")[0].build.program.graph)
    with pytest.raises(ttc.TtcError, match="without data"):
        fake.run({key: torch.zeros(t.shape, dtype=t.dtype).numpy() for key, t in inputs.items()})
