"""Prefix sums of a waveform's length: what they cost in accuracy, and which calls they become."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.backend.lowered import lowered
from tests.emulated import emulated
from ttc.calls.target import TARGETS
from ttc.ir import parse_graph
from ttc.ops import evaluate
from ttc.pipeline import Options, compile_graph
from ttc.validation.accuracy import scaled_error

LENGTH = 72192
GENERATOR = np.random.default_rng(0)
SIGNALS = {
    "normal": GENERATOR.standard_normal((2, LENGTH)).astype(np.float32),
    "uniform": GENERATOR.random((2, LENGTH)).astype(np.float32),
    "whole": GENERATOR.integers(0, 460, (2, LENGTH)).astype(np.float32),  # sums close to 2^24
    "integer": GENERATOR.integers(-20000, 20000, (2, LENGTH)),
}


def graph_of(x: np.ndarray, reverse: bool) -> str:
    type = f"{'f32' if x.dtype == np.float32 else 'i64'}[2,{LENGTH}]"
    flag = ", reverse=true" if reverse else ""
    return f'graph {{\n  %x: {type} = input(name="x")\n  %y: {type} = cumsum(x=%x, dim=1{flag})\n  return "y"=%y\n}}\n'


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_long_sums_are_those_of_float64(signal: str, dtype: str, reverse: bool):
    x = SIGNALS[signal]
    build = compile_graph(parse_graph(graph_of(x, reverse)), Options(TARGETS["n150"], dtype))
    wanted = np.cumsum(x[:, ::-1] if reverse else x, axis=1, dtype=np.float64)
    wanted = wanted[:, ::-1] if reverse else wanted
    for mode in ("exact", "tensix"):
        found = emulated(build, {"x": x}, mode)["y"]
        if signal in ("whole", "integer"):
            assert np.abs(wanted).max() < 2**24
            np.testing.assert_array_equal(found, wanted)
        assert scaled_error(found, wanted) <= 1e-6


def test_blocks_are_summed_in_fp32_along_the_first_dimension():
    text = lowered('%x: f32[1,1024] = input(name="x")\n%y: f32[1,1024] = cumsum(x=%x, dim=1)\nreturn "y"=%y')
    within, between = (line for line in text.splitlines() if "ttnn.cumsum" in line)
    assert ": f32[256,1,4]" in within
    assert ", 0)" in within
    assert ": f32[1,4]" in between


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan, np.finfo(np.float32).max])
@pytest.mark.parametrize("flags", ["", ", reverse=true", ", exclusive=true", ", reverse=true, exclusive=true"])
@pytest.mark.parametrize("size", [1, 300, 1100])
def test_what_comes_before_an_infinity_is_finite(size: int, flags: str, number: float):
    line = f'%x: f32[2,{size}] = input(name="x")\n%y: f32[2,{size}] = cumsum(x=%x, dim=1{flags})\nreturn "y"=%y'
    graph = parse_graph(f"graph {{\n{line}\n}}\n")
    x = np.random.default_rng(0).standard_normal((2, size)).astype(np.float32)
    x[0, size // 2] = number
    wanted = evaluate(graph, {"x": torch.from_numpy(x)})["y"].numpy()
    for dtype in ("fp32", "bf16"):
        build = compile_graph(graph, Options(TARGETS["n150"], dtype))
        found = emulated(build, {"x": x})["y"]
        np.testing.assert_allclose(found, wanted, rtol=0.02 if dtype == "bf16" else 1e-4, atol=0.05)


def test_a_short_sum_is_one_call_in_fp32():
    text = lowered('%x: f32[4,512] = input(name="x")\n%y: f32[4,512] = cumsum(x=%x, dim=1)\nreturn "y"=%y')
    assert text == "%y: f32[4,512] tile dram = ttnn.cumsum(%x, 1)"
