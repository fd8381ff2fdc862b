"""Real sizes and batches: the report predicts as many device programs and conversions as the library counts."""

from __future__ import annotations

import pytest

from bench import networks
from tests.cards import FIRST
from tests.mock_cards import check
from ttc.compiled.compiled import Compiled

ENCODERS = ("minilm", "bert", "vit")
CONVOLUTIONAL = ("resnet50", "vgg19", "squeezenet")
BATCHES = (1, 8, 16)


def assert_counted(program: Compiled) -> None:
    found = check(program.build.program)
    assert found.ok, found.faults
    predicted = program.report
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)


@pytest.mark.sweep
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(name: str, batch: int, ttnn_python: str):
    assert_counted(networks.encoder(name, batch))


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", ["bf16", "bfp8"])
@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutional_networks(name: str, batch: int, target: str, dtype: str, ttnn_python: str):
    assert_counted(networks.convolutional(name, batch, dtype, target))


@pytest.mark.sweep
@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize("name", ["resnet50", "squeezenet"])
def test_activations_in_blocks(name: str, target: str, ttnn_python: str):
    assert_counted(networks.convolutional(name, 16, "bfp8", target, "bfp8"))
