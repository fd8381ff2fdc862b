"""Which values a bf16 program keeps in fp32, and what that is worth."""

from __future__ import annotations

import numpy as np
import torch

from ttc.accuracy import scaled_error
from ttc.backend.precision import wide_values
from ttc.calls.target import TARGETS
from ttc.ir import DType, TensorType, Weight, Weights, parse_graph
from ttc.ops import evaluate
from ttc.pipeline import compile_graph
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.session import Session

TIME_STEP = """
graph {
  %t: f32[2,1] = input(name="t")
  %frequencies: f32[1,64] = const(ref="frequencies")
  %angle: f32[2,64] = mul(a=%t, b=%frequencies)
  %sine: f32[2,64] = sin(x=%angle)
  %cosine: f32[2,64] = cos(x=%angle)
  %y: f32[2,128] = concat(xs=[%sine, %cosine], dim=1)
  %z: f32[2,1] = sigmoid(x=%t)
  %out: f32[2,128] = mul(a=%y, b=%z)
  return "out"=%out
}
"""
ACTIVATION = """
graph {
  %x: f32[2,64] = input(name="x")
  %w: f32[64,64] = const(ref="w")
  %h: f32[2,64] = linear(x=%x, w=%w)
  %scaled: f32[2,64] = mul(a=%h, b=%h)
  %y: f32[2,64] = sin(x=%scaled)
  return "y"=%y
}
"""
TABLE = """
graph {
  %x: f32[64] = input(name="x")
  %w: f32[64] = const(ref="w")
  %sine: f32[64] = sin(x=%w)
  %y: f32[64] = mul(a=%x, b=%sine)
  return "y"=%y
}
"""


def names(text: str) -> set[str]:
    return {value.name for value in wide_values(parse_graph(text))}


def test_angles_of_inputs_and_weights_are_kept():
    assert names(TIME_STEP) == {"t", "frequencies", "angle", "sine", "cosine"}


def test_angles_of_activations_are_not():
    assert names(ACTIVATION) == set()


def test_tables_known_before_the_first_run_are_not():
    assert names(TABLE) == set()


def test_positions_given_as_integers_are_kept():
    cast = '%n: i64[2,1] = input(name="t")\n  %t: f32[2,1] = cast(x=%n, dtype=f32)'
    text = TIME_STEP.replace('%t: f32[2,1] = input(name="t")', cast)
    assert names(text) == {"t", "frequencies", "angle", "sine", "cosine"}


def test_a_time_step_of_999_keeps_its_angles_in_a_bf16_program():
    frequencies = torch.exp(-torch.arange(64) / 64 * np.log(1e4)).reshape(1, 64)
    weight = Weight(TensorType(DType.f32, (1, 64)), frequencies.numpy)
    graph = parse_graph(TIME_STEP, Weights({"frequencies": weight}))
    build = compile_graph(graph, TARGETS["n150"], "bf16")
    inputs = {"t": np.array([[999.0], [501.5]], np.float32)}
    found = Session(build.program, build.weights, EmulatorDevice("exact")).run(inputs)["out"]
    wanted = evaluate(graph, {"t": torch.from_numpy(inputs["t"])})["out"].numpy()
    assert scaled_error(found, wanted) <= 2**-7


DURATIONS = """
graph {
  %d: f32[1,600] = input(name="d")
  %whole: f32[1,600] = round(x=%d)
  %ends: f32[1,600] = cumsum(x=%whole, dim=1)
  %column: f32[600,1] = reshape(x=%ends, shape=[600, 1])
  %frames: f32[1,900] = const(ref="literal.frames")
  %inside: bool[600,900] = gt(a=%column, b=%frames)
  %y: f32[600,900] = cast(x=%inside, dtype=f32)
  return "y"=%y
}
"""
PHASE = """
graph {
  %x: f32[1,600] = input(name="x")
  %rate: f32[1,600] = sigmoid(x=%x)
  %sum: f32[1,600] = cumsum(x=%rate, dim=1)
  %phase: f32[1,600] = mul(a=%sum, b=%sum)
  %y: f32[1,600] = sin(x=%phase)
  %z: f32[1,600] = relu(x=%sum)
  return "y"=%y, "z"=%z
}
"""


def test_durations_are_kept_up_to_the_comparison():
    assert names(DURATIONS) == {"d", "whole", "ends", "column", "frames", "inside"}


def test_prefix_sums_of_activations_are_kept():
    assert names(PHASE) == {"sum", "phase", "y"}


def test_positions_beyond_256_are_told_apart_in_a_bf16_program():
    frames = Weight(TensorType(DType.f32, (1, 900)), lambda: np.arange(900, dtype=np.float32).reshape(1, 900))
    graph = parse_graph(DURATIONS, Weights({"literal.frames": frames}))
    build = compile_graph(graph, TARGETS["n150"], "bf16")
    d = np.random.default_rng(0).integers(0, 4, (1, 600)).astype(np.float32)
    found = Session(build.program, build.weights, EmulatorDevice("tensix")).run({"d": d})["y"]
    np.testing.assert_array_equal(found, np.cumsum(d)[:, None] > np.arange(900))


SPECTRUM = """
graph {
  %f: f32[1,64] = input(name="f")
  %real: f32[64,33] = const(ref="real")
  %imaginary: f32[64,33] = const(ref="imaginary")
  %phase: f32[1,64] = cumsum(x=%f, dim=1)
  %wave: f32[1,64] = sin(x=%phase)
  %shaped: f32[1,64] = OP(x=%wave)
  %re: f32[1,33] = matmul(a=%shaped, b=%real)
  %im: f32[1,33] = matmul(a=%shaped, b=%imaginary)
  %y: f32[1,33] = atan2(a=%im, b=%re)
  return "y"=%y
}
"""


def test_angles_of_spectra_of_signals_are_kept():
    led = {"f", "phase", "wave", "shaped", "re", "im", "y"}
    assert names(SPECTRUM.replace("OP", "tanh")) == led | {"real", "imaginary"}


def test_angles_of_what_activations_give_are_not():
    assert names(SPECTRUM.replace("OP", "sigmoid")) == {"f", "phase", "wave"}


def test_weights_of_a_kept_product_are_kept():
    """A matrix of waves in bf16 would turn the angles as much as a signal in bf16."""
    waves = 2 * np.pi / 64 * np.outer(np.arange(64), np.arange(33))
    matrices = {"real": np.cos(waves).astype(np.float32), "imaginary": -np.sin(waves).astype(np.float32)}
    weights = {name: Weight(TensorType(DType.f32, (64, 33)), array.copy) for name, array in matrices.items()}
    graph = parse_graph(SPECTRUM.replace("OP", "tanh"), Weights(weights))
    build = compile_graph(graph, TARGETS["n150"], "bf16")
    inputs = {"f": np.random.default_rng(0).random((1, 64)).astype(np.float32)}
    found = Session(build.program, build.weights, EmulatorDevice("exact")).run(inputs)["y"]
    wanted = evaluate(graph, {"f": torch.from_numpy(inputs["f"])})["y"].numpy()
    inner = slice(1, -1)  # the ends are real: their angle is 0 or pi by the sign of a rounding
    assert scaled_error(found[:, inner], wanted[:, inner]) <= 2**-8
