"""ONNX's random operators: what they do with numbers given by name, and with those of a seed."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

import ttc

CASES = {
    "RandomNormal": ({"shape": [3, 5], "mean": 2.0, "scale": 0.5}, "normal", lambda r, x: 2 + 0.5 * r),
    "RandomNormalLike": ({"seed": 7.0}, "normal", lambda r, x: r),
    "RandomUniform": ({"shape": [3, 5], "low": -1.0, "high": 3.0}, "uniform", lambda r, x: 4 * r - 1),
    "RandomUniformLike": ({"dtype": TensorProto.FLOAT}, "uniform", lambda r, x: r),
    "Bernoulli": ({}, "uniform", lambda r, x: r < x),
}


@pytest.mark.parametrize("kind", CASES)
def test_random_operators(kind: str):
    attributes, distribution, meaning = CASES[kind]
    node = helper.make_node(kind, [] if "shape" in attributes else ["x"], ["r"], **attributes)
    add = helper.make_node("Add", ["r", "x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, 5]) for name in "xy")
    graph = helper.make_graph([node, add], "random", [x], [y])
    compiled = ttc.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), dtype="fp32")
    name = f"random.{distribution}.0"
    generator = np.random.default_rng(0)
    given = generator.random((3, 5)).astype(np.float32)
    random = generator.random((3, 5)).astype(np.float32)
    found = compiled.run({"x": given, name: random}, "emulator")["y"]
    np.testing.assert_allclose(found, meaning(random, given) + given, rtol=1e-6)
    first, second = (compiled.run({"x": given}, "emulator", seed=seed)["y"] for seed in (0, 3))
    assert not np.array_equal(first, second)
