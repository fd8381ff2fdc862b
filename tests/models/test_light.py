"""The nine CNN graphs of the onnx package: numbers against onnxruntime, calls against the real ttnn."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest

import ttc
from tests.cards import CARD_AND_DTYPE
from ttc.calls.target import TARGETS
from ttc.models import light
from ttc.runtime.check import check
from ttc.validation.accuracy import pcc, scaled_error

each_graph = pytest.mark.parametrize("name", light.NAMES)


@cache
def model(name: str) -> onnx.ModelProto:
    return light.seeded(name)


@cache
def images(name: str) -> list[dict[str, np.ndarray]]:
    """Two seeded images for the model's one input."""
    graph = model(name).graph
    weights = {tensor.name for tensor in graph.initializer}
    (value,) = [value for value in graph.input if value.name not in weights]
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    generator = np.random.default_rng(7)
    return [{value.name: generator.standard_normal(shape).astype(np.float32)} for _ in range(2)]


def run_onnxruntime(proto: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


@each_graph
def test_fp32_matches_onnxruntime(name: str):
    wanted = [run_onnxruntime(model(name), image) for image in images(name)]
    compiled = ttc.compile(model(name), dtype="fp32")
    found = [next(iter(compiled.run(image).values())) for image in images(name)]
    assert scaled_error(found[0], wanted[0]) <= 1e-4
    assert scaled_error(found[1], wanted[1]) <= 1e-4
    assert pcc(found[0] - found[1], wanted[0] - wanted[1]) >= 0.999


@each_graph
def test_bf16_correlates_with_onnxruntime(name: str):
    image = images(name)[0]
    found = next(iter(ttc.compile(model(name), dtype="bf16").run(image).values()))
    assert pcc(found, run_onnxruntime(model(name), image)) >= 0.99


@each_graph
@pytest.mark.parametrize(("target", "dtype"), CARD_AND_DTYPE)
def test_real_ttnn_accepts_every_call_as_predicted(name: str, target: str, dtype: str, ttnn_python: str):
    compiled = ttc.compile(model(name), dtype=dtype, target=target)
    report = check(compiled.build.program, TARGETS[target])
    assert report.ok, report.faults
    predicted = compiled.report
    assert (predicted.device_programs, predicted.layout_conversions) == (report.device_programs, report.conversions)
    assert predicted.host_ops == 0


@each_graph
def test_shipped_file_compiles_and_matches(name: str):
    proto = onnx.load(light.path(name))
    image = images(name)[0]
    found = next(iter(ttc.compile(light.path(name)).run(image).values()))
    assert pcc(found, run_onnxruntime(proto, image)) == 1.0


@each_graph
def test_shipped_file_matches_in_fp32_before_softmax(name: str):
    # With constant weights squeezenet's logits are 6.7e9, all equal but for the order of summation: their last
    # bit is worth 512, and softmax makes a coin toss of it.
    proto = onnx.load(light.path(name))
    light.drop_softmax(proto.graph)
    image = images(name)[0]
    found = next(iter(ttc.compile(proto, dtype="fp32").run(image).values()))
    assert scaled_error(found, run_onnxruntime(proto, image)) <= 1e-4
