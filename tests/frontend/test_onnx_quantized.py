"""Operators of onnxruntime's quantiser: within a step of onnxruntime, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.onnx_models import assert_agree, model_of, run_ours, run_theirs
from ttc.errors import Refused
from ttc.frontend.onnx import load
from ttc.frontend.onnx.table import MICROSOFT

RNG = np.random.default_rng(5)
Arrays = Mapping[str, Any]
BYTES = [np.uint8, np.int8]


def drawn(dtype: Any, *shape: int) -> np.ndarray:
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape, dtype)


def scale(number: float) -> np.float32:
    return np.float32(number)


def scales(dtype: Any) -> dict[str, Any]:
    """A scale and a zero point of two operands and a result."""
    zeros = {"xz": dtype(7), "wz": dtype(90), "yz": dtype(20)}
    return {"xs": scale(0.02), "ws": scale(0.05), "ys": scale(0.06), **zeros}


def model(kind: str, names: str, inputs: Arrays, weights: Arrays, **attributes: Any):
    """One node; of `names` "-" is no input."""
    order = ["" if name == "-" else name for name in names.split()]
    node = helper.make_node(kind, order, ["y"], domain=MICROSOFT, **attributes)
    return model_of([node], inputs, weights=weights, domains={MICROSOFT: 1})


def check(kind: str, names: str, inputs: Arrays, weights: Arrays, steps: int = 1, **attributes: Any):
    """Within so many steps of onnxruntime, whose sums are rounded otherwise, and not all the same number."""
    given = model(kind, names, inputs, weights, **attributes)
    ours, theirs = run_ours(given, inputs)["y"], run_theirs(given, inputs)["y"]
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= steps
    assert len(np.unique(theirs)) >= 8
    assert (ours == theirs).mean() > 0.8


@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 1, 1), (1,)])
def test_bytes_of_two_scales(dtype: Any, kind: str, shape: tuple[int, ...]):
    inputs = {"x": drawn(dtype, 2, 3, 4, 5), "w": drawn(dtype, *shape)}
    check(kind, "x xs xz w ws wz ys yz", inputs, scales(dtype))


@pytest.mark.parametrize("kind", ["QLinearAdd", "QLinearMul"])
def test_zero_points_may_be_absent(kind: str):
    """onnxruntime does not infer the type of such a node."""
    inputs = {"x": drawn(np.int8, 2, 3), "w": drawn(np.int8, 2, 3)}
    weights = {"xs": scale(0.02), "ws": scale(0.05), "ys": scale(0.06), "z": np.int8(0)}
    plain, zeros = (model(kind, names, inputs, weights) for names in ("x xs - w ws - ys", "x xs z w ws z ys z"))
    np.testing.assert_array_equal(run_ours(plain, inputs)["y"], run_ours(zeros, inputs)["y"])


@pytest.mark.parametrize("dtype", BYTES)
def test_bytes_are_chosen(dtype: Any):
    inputs = {"c": RNG.random((3, 8)) > 0.4, "x": drawn(dtype, 3, 8), "w": drawn(dtype, 1, 8)}
    check("QLinearWhere", "c x xs xz w ws wz ys yz", inputs, scales(dtype))


@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize(
    ("kind", "to", "attributes"),
    [
        ("QLinearSigmoid", 1 / 256, {}),
        ("QLinearLeakyRelu", 0.04, {}),
        ("QLinearLeakyRelu", 0.04, {"alpha": 0.3}),
        ("QLinearSoftmax", 1 / 256, {"axis": -1, "opset": 13}),
        ("QLinearSoftmax", 1 / 256, {"axis": 1, "opset": 13}),
        ("QLinearGlobalAveragePool", 0.02, {}),
        ("QLinearAveragePool", 0.03, {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}),
        ("QLinearAveragePool", 0.03, {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0], "count_include_pad": 1}),
        ("QLinearAveragePool", 0.03, {"kernel_shape": [3, 3], "channels_last": 1}),
        ("QLinearGlobalAveragePool", 0.02, {"channels_last": 1}),
    ],
)
def test_functions_of_bytes(dtype: Any, kind: str, to: float, attributes: dict[str, Any]):
    weights = {"xs": scale(0.05), "xz": dtype(40), "ys": scale(to), "yz": dtype(9)}
    check(kind, "x xs xz ys yz", {"x": drawn(dtype, 3, 4, 6, 9)}, weights, **attributes)


def test_bytes_are_joined_at_one_scale():
    inputs = {"a": drawn(np.uint8, 2, 3, 4), "b": drawn(np.uint8, 2, 5, 4)}
    weights = {"ys": scale(0.05), "yz": np.uint8(20), "as": scale(0.03), "az": np.uint8(3), "bs": scale(0.05)}
    weights["bz"] = np.uint8(99)
    check("QLinearConcat", "ys yz a as az b bs bz", inputs, weights, axis=1)
    check("QLinearConcat", "ys yz a as az b bs bz", inputs, weights, axis=-2)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_products_of_bytes(transposed: int, each: bool, biased: bool):
    """Weights of 7 bits: with larger ones onnxruntime saturates in 16 bits on some processors."""
    inputs = {"x": drawn(np.uint8, *((40, 6) if transposed else (6, 40)))}
    w = RNG.integers(-63, 64, (40, 10), np.int8)
    weights: dict[str, Any] = {"xs": scale(0.02), "xz": np.uint8(120), "w": w.T.copy() if transposed else w}
    weights |= {"ws": RNG.random(10, np.float32) / 20 if each else scale(0.03)}
    weights |= {"wz": np.zeros(10, np.int8) if each else np.int8(0), "ys": scale(0.1), "yz": np.uint8(100)}
    if biased:
        weights["c"] = RNG.integers(-9000, 9000, 10, np.int32)
    c = "c" if biased else "-"
    flags = {"alpha": 1.0, "transA": transposed, "transB": transposed}
    check("QGemm", f"x xs xz w ws wz {c} ys yz", inputs, weights, **flags)
    assert_agree(model("QGemm", f"x xs xz w ws wz {c}", inputs, weights, **flags), inputs)


def test_a_product_of_bytes_is_scaled():
    inputs = {"x": drawn(np.uint8, 3, 8)}
    weights = {"s": scale(0.02), "z": np.uint8(120), "w": RNG.integers(-63, 64, (8, 5), np.int8), "wz": np.int8(3)}
    assert_agree(model("QGemm", "x s z w s wz", inputs, weights, alpha=0.25), inputs)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_products_of_bytes_as_floats(each: bool, biased: bool):
    inputs = {"x": drawn(np.uint8, 2, 6, 40)}
    weights: dict[str, Any] = {"w": RNG.integers(-63, 64, (40, 10), np.int8), "xs": scale(0.02)}
    weights |= {"ws": RNG.random(10, np.float32) / 20 if each else scale(0.03), "xz": np.uint8(120)}
    weights |= {"wz": np.full(10, 3, np.int8) if each else np.int8(3)}
    weights |= {"bias": RNG.standard_normal(10, np.float32)} if biased else {}
    assert_agree(model("MatMulIntegerToFloat", f"x w xs ws xz wz {'bias' * biased}", inputs, weights), inputs)
    del weights["xz"], weights["wz"]
    assert_agree(model("MatMulIntegerToFloat", "x w xs ws", inputs, weights), inputs)


@pytest.mark.parametrize("least", [-3.0, 1.0, 0.0])
@pytest.mark.parametrize("each", [False, True])
def test_products_of_what_is_made_bytes_by_its_own_range(least: float, each: bool):
    inputs = {"x": (RNG.random((2, 6, 40), np.float32) * 5 + np.float32(least))}
    weights: dict[str, Any] = {"w": RNG.integers(-63, 64, (40, 10), np.int8)}
    weights |= {"ws": RNG.random(10, np.float32) / 20 if each else scale(0.03), "wz": np.int8(3)}
    weights |= {"bias": RNG.standard_normal(10, np.float32)}
    if each:
        weights["wz"] = np.full(10, 3, np.int8)
    assert_agree(model("DynamicQuantizeMatMul", "x w ws wz bias", inputs, weights), inputs, 1e-3)
    assert_agree(model("DynamicQuantizeMatMul", "x w ws", inputs, weights), inputs, 1e-3)


def test_zeros_are_made_bytes():
    weights = {"w": RNG.integers(-63, 64, (4, 3), np.int8), "ws": scale(0.03), "wz": np.int8(0)}
    zeros = {"x": np.zeros((2, 4), np.float32)}
    assert not run_ours(model("DynamicQuantizeMatMul", "x w ws wz", zeros, weights), zeros)["y"].any()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [0, 1])
def test_attention_of_bytes(masked: bool, causal: int):
    inputs = {"x": drawn(np.uint8, 2, 5, 12)}
    weights = {"w": RNG.integers(-63, 64, (12, 36), np.int8), "bias": RNG.standard_normal(36, np.float32)}
    weights |= {"xs": scale(0.01), "ws": scale(0.02), "mask": np.array([3, 5], np.int32), "xz": np.uint8(100)}
    weights |= {"wz": np.int8(0)}
    names = f"x w bias xs ws {'mask' if masked else '-'} xz wz"
    given = {name: array for name, array in weights.items() if name in names.split()}
    assert_agree(model("QAttention", names, inputs, given, num_heads=3, unidirectional=causal), inputs)


@pytest.mark.parametrize("segmented", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_embeddings_of_bytes(segmented: bool, masked: bool):
    inputs: dict[str, Any] = {"ids": RNG.integers(0, 30, (2, 5)).astype(np.int32)}
    inputs |= {"parts": RNG.integers(0, 2, (2, 5)).astype(np.int32)} if segmented else {}
    inputs |= {"mask": np.array([[1, 1, 0, 0, 0], [1] * 5], np.int32)} if masked else {}
    sizes = {"words": (30, 8), "places": (16, 8), "segments": (2, 8), "gamma": (8,), "beta": (8,)}
    weights = {name: drawn(np.uint8, *size) for name, size in sizes.items() if segmented or name != "segments"}
    given = [name if name in weights else "" for name in sizes]
    weights |= {f"{name}_s": scale(0.01 * (1 + len(name))) for name in weights}
    weights |= {f"{name}_z": np.uint8(100 + len(name)) for name in given if name}
    order = ["ids", "parts" if segmented else "", *given, "mask" if masked else ""]
    order += [name and f"{name}_{kind}" for kind in "sz" for name in given]
    node = helper.make_node("QEmbedLayerNormalization", order, ["y", "kept"], domain=MICROSOFT, epsilon=1e-5)
    graph = model_of([node], inputs, ["y", "kept"], weights=weights, domains={MICROSOFT: 1})
    assert_agree(graph, inputs)


U8 = {"x": drawn(np.uint8, 2, 3)}
ONE = {"s": scale(0.1), "z": np.uint8(3)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (model("QLinearSoftmax", "x s z s z", U8, ONE, opset=12, axis=1), "is the softmax of opset 12"),
        (model("QLinearConcat", "s z x s", U8, ONE, axis=0), "needs a scale and a zero point for each part, got 2"),
        (model("QLinearConcat", "s z", U8, ONE, axis=0), "needs a scale and a zero point for each part, got 0"),
        (model("QLinearAdd", "x s z - s z s z", U8, ONE), "lacks its input y"),
        (model("MatMulIntegerToFloat", "x w s s", {"x": np.ones((2, 3), np.int32), "w": np.ones((3, 2), np.int8)}, ONE),
         "multiplies i32, where bytes are exact"),
        (model("QAttention", "x w b s s", {"x": drawn(np.uint8, 1, 2, 3), "w": np.ones((3, 9), np.int8)},
               ONE | {"b": np.zeros(9, np.float32)}, num_heads=1, do_rotary=1), "rotates its heads"),
    ],
)  # fmt: skip
def test_other_forms_are_refused(given: Any, message: str):
    with pytest.raises(Refused, match=re.escape(message)):
        load(given)
