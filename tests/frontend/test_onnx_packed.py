"""Products of onnxruntime by weights of a few bits, several in a byte: beside onnxruntime, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

import ttc
from tests.frontend.onnx_models import assert_agree, model_of
from ttc.errors import Refused
from ttc.frontend.onnx import load
from ttc.frontend.onnx.table import MICROSOFT


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def product(k: int, n: int, block: int, bits: int, zeros: str | None = None, bias: bool = False, **more: Any) -> Any:
    """A product of [2, 3, k] by n rows; zero points are "packed" as the weights are, or "float"."""
    rng, blocks = np.random.default_rng(k), -(-k // block)
    weights: dict[str, np.ndarray] = {
        "w": rng.integers(0, 256, (n, blocks, block * bits // 8), dtype=np.uint8),
        "scales": rng.random((n, blocks), np.float32) + 0.1,
    }
    if zeros == "packed":
        weights["zeros"] = rng.integers(0, 256, n * -(-blocks * bits // 8), dtype=np.uint8)
    if zeros == "float":
        weights["zeros"] = rng.random((n, blocks), np.float32) * 15
    if bias:
        weights["bias"] = normal(n)
    names = ["x", "w", "scales", *(["zeros" if zeros else "", "", "bias"] if bias else ["zeros"] if zeros else [])]
    attributes = {"K": k, "N": n, "block_size": block, "bits": bits, **more}
    attributes = {name: value for name, value in attributes.items() if value is not None}
    node = helper.make_node("MatMulNBits", names, ["y"], domain=MICROSOFT, **attributes)
    return model_of([node], {"x": normal(2, 3, k)}, weights=weights, opset=21, domains={MICROSOFT: 1})


@pytest.mark.parametrize(
    ("k", "n", "block", "bits", "zeros", "bias"),
    [
        (64, 24, 16, 4, None, False),
        (70, 24, 32, 4, None, True),  # the last block of a row is not full
        (70, 25, 32, 4, "packed", False),  # three zero points of a row take a byte and a half
        (33, 7, 16, 4, "packed", True),
        (128, 24, 64, 8, "packed", False),
        (128, 24, 64, 8, None, False),
        (64, 24, 16, 2, "packed", False),
        (96, 8, 32, 4, "float", False),
    ],
)
def test_they_are_onnxruntimes(k: int, n: int, block: int, bits: int, zeros: str | None, bias: bool):
    assert_agree(product(k, n, block, bits, zeros, bias), {"x": normal(2, 3, k)})


def test_weights_are_made_before_a_run():
    report = ttc.compile(product(64, 24, 16, 4, "packed"), dtype="bfp4").report
    assert report.calls_by_kind == {"ttnn.linear": 1}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"bits": 3}, "numbers of 3 bits are not supported"),
        ({"block_size": 0}, r"in blocks of 0 numbers has nothing to multiply by"),
        ({"K": 0}, r"a matrix \[24, 0\]"),
        ({"N": -1}, r"a matrix \[-1, 64\]"),
        ({"K": None}, "lacks its attribute K"),
        ({"N": 25}, "reshape"),
        ({"bits": 8}, "reshape"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(attributes: dict[str, Any], message: str):
    model = product(64, 24, 16, 4)
    (node,) = model.graph.node
    for name, value in attributes.items():
        (item,) = (item for item in node.attribute if item.name == name)
        if value is None:
            node.attribute.remove(item)
        else:
            item.i = value
    with pytest.raises(Refused, match=message):
        load(model)
