"""Attention and embeddings as onnxruntime's optimiser fuses them: beside onnxruntime, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from onnx import helper

import ttc
from tests.frontend.onnx_models import assert_agree, model_of, run_ours, run_theirs
from ttc.errors import Refused
from ttc.frontend.onnx import load
from ttc.frontend.onnx.table import MICROSOFT
from ttc.validation.accuracy import scaled_error

RNG = np.random.default_rng(3)
Arrays = Mapping[str, Any]


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


def i32(numbers: Any) -> np.ndarray:
    return np.array(numbers, np.int32)


def node(kind: str, names: list[str], outputs: tuple[str, ...] = ("y",), **attributes: Any):
    return helper.make_node(kind, names, list(outputs), domain=MICROSOFT, **attributes)


def model(kind: str, names: list[str], inputs: Arrays, weights: Arrays, outputs: tuple[str, ...] = ("y",), **more: Any):
    named = [name for name in outputs if name]
    return model_of([node(kind, names, outputs, **more)], inputs, named, weights=weights, domains={MICROSOFT: 1})


def attention(inputs: Arrays, names: str = "x w bias", outputs: tuple[str, ...] = ("y",), **more: Any):
    """Attention of 12 channels in 3 heads; `names` says which inputs there are, "-" none."""
    weights = {"w": normal(12, 36), "bias": normal(36)}
    order = ["" if name == "-" else name for name in names.split()]
    return model("Attention", order, inputs, weights, outputs, **{"num_heads": 3, **more})


X = normal(2, 5, 12)
MASKS = {
    "lengths": i32([3, 5]),
    "ends and starts": i32([4, 5, 1, 2]),
    "keys": i32([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]]),
    "no key of a sample": i32([[0] * 5, [1] * 5]),
    "queries by keys": (RNG.random((2, 5, 5)) > 0.4).astype(np.int32),
}


@pytest.mark.parametrize("form", MASKS)
@pytest.mark.parametrize("causal", [0, 1])
def test_masks_of_attention(form: str, causal: int):
    inputs = {"x": X, "mask": MASKS[form]}
    assert_agree(attention(inputs, "x w bias mask", unidirectional=causal), inputs)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("scale", [{}, {"scale": 0.7}, {"mask_filter_value": -3.5}])
def test_scales_of_attention(causal: int, scale: dict[str, float]):
    inputs = {"x": X, "mask": MASKS["keys"]}
    assert_agree(attention(inputs, "x w bias mask", unidirectional=causal, **scale), inputs)


def test_attention_without_bias_or_mask_and_with_heads_of_two_sizes():
    """onnxruntime itself ends with a segmentation fault where there is no bias."""
    weights = {"w": normal(12, 36), "bias": np.zeros(36, np.float32)}
    plain, zeros = (
        model("Attention", names, {"x": X}, weights, num_heads=3) for names in (["x", "w"], ["x", *weights])
    )
    np.testing.assert_array_equal(run_ours(plain, {"x": X})["y"], run_ours(zeros, {"x": X})["y"])
    weights = {"w": normal(12, 2 * 6 + 9), "bias": normal(21)}
    sizes = model("Attention", ["x", "w", "bias"], {"x": X}, weights, num_heads=3, qkv_hidden_sizes=[6, 6, 9])
    assert_agree(sizes, {"x": X})


@pytest.mark.parametrize("shape", [(2, 3, 5, 5), (1, 1, 5, 5), (1, 3, 5, 5), (2, 1, 5, 5)])
def test_biases_of_scores(shape: tuple[int, ...]):
    inputs = {"x": X, "mask": MASKS["keys"], "add": normal(*shape)}
    assert_agree(attention(inputs, "x w bias mask - add"), inputs)
    assert_agree(attention(inputs, "x w bias - - add"), inputs)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_goes_on_from_a_past(causal: int, masked: bool):
    inputs = {"x": X, "past": normal(2, 2, 3, 4, 4)}
    if masked:
        inputs["mask"] = i32([[1] * 9, [0, 0, *[1] * 7]])
    names = f"x w bias {'mask' if masked else '-'} past"
    assert_agree(attention(inputs, names, ("y", "present"), unidirectional=causal), inputs)


def test_keys_and_values_are_given_without_a_past():
    assert_agree(attention({"x": X}, outputs=("y", "present")), {"x": X})


QUERY, KEY, VALUE = normal(2, 4, 12), normal(2, 5, 12), normal(2, 5, 15)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("form", [None, "lengths", "keys"])
def test_heads_of_three_inputs(biased: bool, form: str | None):
    inputs = {"q": QUERY, "k": KEY, "v": VALUE, **({"mask": MASKS[form]} if form else {})}
    names = ["q", "k", "v", "bias" if biased else "", "mask" if form else ""]
    weights = {"bias": normal(12 + 12 + 15)} if biased else {}
    assert_agree(model("MultiHeadAttention", names, inputs, weights, num_heads=3), inputs)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("more", [{}, {"scale": 0.3}])
def test_heads_go_on_from_a_past(causal: int, more: dict[str, float]):
    inputs = {"q": QUERY, "k": QUERY, "v": QUERY, "add": normal(1, 3, 4, 10)}
    inputs |= {"past_k": normal(2, 3, 6, 4), "past_v": normal(2, 3, 6, 4)}
    names, weights = ["q", "k", "v", "bias", "", "add", "past_k", "past_v"], {"bias": normal(36)}
    outputs = ("y", "present_k", "present_v")
    given = model("MultiHeadAttention", names, inputs, weights, outputs, num_heads=3, unidirectional=causal, **more)
    assert_agree(given, inputs)


@pytest.mark.parametrize("biased", [False, True])
def test_heads_attend_to_keys_of_a_cache(biased: bool):
    inputs = {"q": QUERY, "k": normal(2, 3, 7, 4), "v": normal(2, 3, 7, 4)}
    names, weights = ["q", "k", "v", *(["bias"] if biased else [])], {"bias": normal(36)} if biased else {}
    assert_agree(model("MultiHeadAttention", names, inputs, weights, num_heads=3), inputs)


def embedded(names: str, inputs: Arrays, outputs: tuple[str, ...] = ("y", "kept"), **more: Any):
    weights = {"words": normal(30, 8), "positions": normal(16, 8), "segments": normal(2, 8)}
    weights |= {"gamma": normal(8), "beta": normal(8)}
    order = ["" if name == "-" else name for name in names.split()]
    return model("EmbedLayerNormalization", order, inputs, weights, outputs, **more)


def test_embeddings_are_summed_and_normalised():
    ids, segment_ids = i32(RNG.integers(0, 30, (2, 5))), i32(RNG.integers(0, 2, (2, 5)))
    inputs = {"ids": ids, "segment_ids": segment_ids, "mask": MASKS["keys"], "places": i32([[3, 1, 0, 2, 15]] * 2)}
    every = "ids segment_ids words positions segments gamma beta mask places"
    assert_agree(embedded(every, inputs, ("y", "kept", "sum"), epsilon=1e-5), inputs)
    without = {name: inputs[name] for name in ("ids", "segment_ids", "mask")}
    assert_agree(embedded(every.removesuffix(" places"), without), without)
    assert_agree(embedded("ids - words positions - gamma beta", {"ids": ids}), {"ids": ids})


def test_a_layer_of_bert_as_the_optimiser_writes_one():
    """Lengths come from the embeddings' mask, to the card's numbers."""
    ids = i32(RNG.integers(0, 30, (2, 32)))
    inputs = {"ids": ids, "segment_ids": i32(np.zeros((2, 32))), "mask": i32(np.arange(32) < [[20], [32]])}
    weights = {"words": normal(30, 64), "positions": normal(32, 64), "segments": normal(2, 64), "gamma": normal(64)}
    weights |= {"beta": normal(64), "w": normal(64, 192) / 8, "bias": normal(192)}
    first = ["ids", "segment_ids", "words", "positions", "segments", "gamma", "beta", "mask"]
    nodes = [
        node("EmbedLayerNormalization", first, ("x", "kept")),
        node("Attention", ["x", "w", "bias", "kept"], num_heads=2),
    ]
    given = model_of(nodes, inputs, weights=weights, domains={MICROSOFT: 1})
    assert_agree(given, inputs)
    compiled = ttc.compile(given)
    assert "scaled_dot_product_attention" in str(compiled.build.program.graph)
    assert scaled_error(compiled.run(inputs)["y"], run_theirs(given, inputs)["y"]) < 0.03


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (attention({"x": X}, num_heads=5), "12 channels are no multiple of 5 heads"),
        (attention({"x": X}, do_rotary=1), "rotates its heads, or shares a buffer with its past"),
        (attention({"x": X}, past_present_share_buffer=1), "rotates its heads, or shares a buffer with its past"),
        (attention({"x": X}, qkv_hidden_sizes=[12, 12, 9]), "cuts 36 columns into [12, 12, 9]"),
        (attention({"x": X}, qkv_hidden_sizes=[12, 24]), "cuts 36 columns into [12, 24]"),
        (attention({"x": X[0]}), "attends to f32[5,36], where [batch, length, channels] is read"),
        (attention({"x": X, "m": i32([1] * 8)}, "x w bias m"), "a mask i32[8] of 2 x 5 keys is not supported"),
        (attention({"x": X, "m": i32([[1] * 4] * 2)}, "x w bias m"), "a mask i32[2,4] of 2 x 5 keys is not supported"),
        (model("MultiHeadAttention", ["q"], {"q": normal(2, 4, 3, 3, 4)}, {}, num_heads=3), "packed in one input"),
        (model("MultiHeadAttention", ["q", "k"], {"q": QUERY, "k": KEY}, {}, num_heads=3), "packed in one input"),
        (model("MultiHeadAttention", ["q", "q", "q", "", "", "", "p"], {"q": QUERY, "p": normal(2, 3, 6, 4)}, {},
               num_heads=3), "takes past_key and past_value together"),
        (model("MultiHeadAttention", ["q", "q", "q"], {"q": QUERY}, {}, ("y", "", "", "s"), num_heads=3),
         "gives its scores"),
        (model("MultiHeadAttention", ["q", "k", "k"], {"q": QUERY, "k": KEY}, {}, num_heads=3, unidirectional=1),
         "is causal between 4 queries and 5 keys, of which 0 are earlier"),
        (embedded("ids ids words positions - gamma beta", {"ids": i32([[1]])}), "segment_embedding together"),
        (embedded("ids - words - - gamma beta", {"ids": i32([[1]])}), "lacks its input positions"),
    ],
)  # fmt: skip
def test_other_forms_are_refused(given: Any, message: str):
    with pytest.raises(Refused, match=re.escape(message)):
        load(given)
