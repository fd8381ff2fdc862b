"""The nine CNN graphs of the onnx package: numbers against onnxruntime, calls against the real ttnn."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest

import ttc
from tests.cards import FIRST, in_turn, swept
from tests.mock_cards import check
from ttc.compiled.compiled import Compiled
from ttc.models import light
from ttc.validation.accuracy import pcc, scaled_error

LARGE = ("vgg19", "zfnet512")
"""Graphs of the kind of bvlc_alexnet: their numbers take as long as those of all others."""

each_smaller = pytest.mark.parametrize(
    "name", [swept(name) if name in LARGE else name for name in light.NAMES], indirect=True
)


@pytest.fixture(scope="module", params=light.NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Of the module's scope, so that all tests of a graph come together, and read it once."""
    return request.param


@cache
def model(name: str) -> onnx.ModelProto:
    return light.seeded(name)


@cache
def imported(name: str) -> Compiled:
    """The program from which the others are made, so that each graph is read once."""
    return ttc.compile(model(name), dtype="fp32")


@cache
def shipped(name: str) -> Compiled:
    """The program of a graph as the onnx package has it: to draw the weights of a large one takes 7 seconds."""
    return ttc.compile(light.path(name))


@cache
def compiled(name: str, dtype: str, target: str = FIRST[0]) -> Compiled:
    return imported(name).variant(dtype=dtype, target=target)


def run(program: Compiled, images: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    """Run a program in a session that ends here, with its weights."""
    with program.session("emulator") as session:
        return [next(iter(session.run(image).values())) for image in images]


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


@cache
def wanted(name: str) -> list[np.ndarray]:
    return [run_onnxruntime(model(name), image) for image in images(name)]


@each_smaller
def test_fp32_matches_onnxruntime(name: str):
    found, references = run(compiled(name, "fp32"), images(name)), wanted(name)
    assert scaled_error(found[0], references[0]) <= 1e-4
    assert scaled_error(found[1], references[1]) <= 1e-4
    assert pcc(found[0] - found[1], references[0] - references[1]) >= 0.999


@each_smaller
def test_bf16_correlates_with_onnxruntime(name: str):
    (found,) = run(compiled(name, "bf16"), images(name)[:1])
    assert pcc(found, wanted(name)[0]) >= 0.99


@pytest.mark.parametrize(("name", "target", "dtype"), in_turn(light.NAMES), indirect=["name"])
def test_real_ttnn_accepts_every_call_as_predicted(name: str, target: str, dtype: str, ttnn_python: str):
    program = shipped(name).variant(dtype=dtype, target=target) if name in LARGE else compiled(name, dtype, target)
    report = check(program.build.program)
    assert report.ok, report.faults
    predicted = program.report
    assert (predicted.device_programs, predicted.layout_conversions) == (report.device_programs, report.conversions)
    assert predicted.host_ops == 0


@pytest.mark.parametrize(
    "name", ["squeezenet", *(swept(name) for name in light.NAMES if name != "squeezenet")], indirect=True
)
def test_shipped_file_compiles_and_matches(name: str):
    proto = onnx.load(light.path(name))
    image = images(name)[0]
    found = next(iter(ttc.compile(light.path(name)).run(image).values()))
    assert pcc(found, run_onnxruntime(proto, image)) == 1.0


@each_smaller
def test_shipped_file_matches_in_fp32_before_softmax(name: str):
    # With constant weights squeezenet's logits are 6.7e9, all equal but for the order of summation: their last
    # bit is worth 512, and softmax makes a coin toss of it.
    proto = onnx.load(light.path(name))
    light.drop_softmax(proto.graph)
    image = images(name)[0]
    found = next(iter(ttc.compile(proto, dtype="fp32").run(image).values()))
    assert scaled_error(found, run_onnxruntime(proto, image)) <= 1e-4
