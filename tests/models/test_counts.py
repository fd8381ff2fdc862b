"""Real sizes and batches: the report predicts as many device programs and conversions as the library counts."""

from __future__ import annotations

import onnx
import pytest
import torch
from onnx import numpy_helper

import ttc
from tests.cards import FIRST
from tests.mock_cards import check
from ttc import models
from ttc.compiled.compiled import Compiled
from ttc.models import light

ENCODERS = ("minilm", "bert", "vit")
CONVOLUTIONAL = ("resnet50", "vgg19", "squeezenet")
BATCHES = (1, 8, 16)


def encoder(name: str, batch: int) -> Compiled:
    module, inputs = models.named(name).build("real", fake=name != "minilm")
    rows = {key: tensor.repeat(batch, *[1] * (tensor.dim() - 1)) for key, tensor in inputs.items()}
    assert all(isinstance(tensor, torch.Tensor) for tensor in rows.values())
    return ttc.compile(module, kwargs=rows)


def convolutional(name: str, batch: int, target: str, dtype: str) -> Compiled:
    """A graph of one image, for as many as the batch holds: in its inputs and wherever a reshape states them."""
    model = light.seeded(name)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for value in (*graph.input, *graph.output):
        if value.name not in weights:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    del graph.value_info[:]
    for node in graph.node:
        shape = numpy_helper.to_array(weights[node.input[1]]).copy() if node.op_type == "Reshape" else None
        if shape is not None and shape[0] == 1 and node.input[0] not in weights:
            shape[0] = batch
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    return ttc.compile(onnx.shape_inference.infer_shapes(model), target=target, dtype=dtype)


def assert_counted(program: Compiled) -> None:
    found = check(program.build.program)
    assert found.ok, found.faults
    predicted = program.report
    assert (predicted.device_programs, predicted.layout_conversions) == (found.device_programs, found.conversions)


@pytest.mark.sweep
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(name: str, batch: int, ttnn_python: str):
    assert_counted(encoder(name, batch))


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", ["bf16", "bfp8"])
@pytest.mark.parametrize("target", FIRST)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutional_networks(name: str, batch: int, target: str, dtype: str, ttnn_python: str):
    assert_counted(convolutional(name, batch, target, dtype))
