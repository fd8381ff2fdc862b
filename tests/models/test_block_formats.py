"""Networks of convolutions with biases, their weights in block formats: taken by the real library, and close."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ttc
from tests.mock_cards import check
from tests.models.test_light import images, model, run_onnxruntime
from ttc import models
from ttc.calls.target import TARGETS
from ttc.models import light
from ttc.validation.accuracy import pcc

NAMES = (
    "squeezenet",
    *(pytest.param(n, marks=pytest.mark.sweep) for n in ("resnet50", "vgg19", "encodec_decoder", "speecht5_hifigan")),
)


def built(name: str, **options):
    """Return a model compiled, its inputs, and the result that its own framework gives."""
    if name in light.NAMES:
        inputs = images(name)[0]
        return ttc.compile(model(name), **options), inputs, run_onnxruntime(model(name), inputs)
    module, given = models.named(name).build("tiny")
    with torch.no_grad():
        wanted = module(**given)
    inputs = {key: value.numpy() for key, value in given.items()}
    return ttc.compile(module, kwargs=given, **options), inputs, np.asarray(wanted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["bfp8", "bfp4"])
@pytest.mark.parametrize("target", ["n150", "p150"])
def test_real_ttnn_accepts_block_formats_with_bias(name: str, dtype: str, target: str, ttnn_python: str):
    compiled = built(name, dtype=dtype, target=target)[0]
    report = check(compiled.build.program, TARGETS[target])
    assert report.ok, report.faults


@pytest.mark.parametrize("name", NAMES)
def test_bfp8_correlates(name: str):
    compiled, inputs, wanted = built(name, dtype="bfp8")
    assert pcc(next(iter(compiled.run(inputs).values())), wanted) >= 0.99
