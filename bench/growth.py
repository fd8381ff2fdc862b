"""Compile time of ttc as a model grows: an encoder of more and more layers, CPU seconds a node."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import onnx
from onnx import numpy_helper, parser

import ttc
from bench.table import Table

LAYERS = (42, 500)
ROUNDS = 5
TOKENS, WIDTH, HEADS, INNER = 32, 64, 2, 128

LAYER = """
    norm_{i} = LayerNormalization <epsilon = 1e-5> (x_{i}, scale_{i}, shift_{i})
    query_{i} = MatMul (norm_{i}, query_weight_{i})
    key_{i} = MatMul (norm_{i}, key_weight_{i})
    value_{i} = MatMul (norm_{i}, value_weight_{i})
    query_split_{i} = Reshape (query_{i}, split)
    key_split_{i} = Reshape (key_{i}, split)
    value_split_{i} = Reshape (value_{i}, split)
    query_heads_{i} = Transpose <perm = [0, 2, 1, 3]> (query_split_{i})
    key_heads_{i} = Transpose <perm = [0, 2, 3, 1]> (key_split_{i})
    value_heads_{i} = Transpose <perm = [0, 2, 1, 3]> (value_split_{i})
    products_{i} = MatMul (query_heads_{i}, key_heads_{i})
    scores_{i} = Mul (products_{i}, root)
    shares_{i} = Softmax <axis = -1> (scores_{i})
    read_{i} = MatMul (shares_{i}, value_heads_{i})
    turned_{i} = Transpose <perm = [0, 2, 1, 3]> (read_{i})
    joined_{i} = Reshape (turned_{i}, join)
    attended_{i} = MatMul (joined_{i}, out_weight_{i})
    middle_{i} = Add (attended_{i}, x_{i})
    norm_after_{i} = LayerNormalization <epsilon = 1e-5> (middle_{i}, scale_{i}, shift_{i})
    wide_{i} = MatMul (norm_after_{i}, wide_weight_{i})
    active_{i} = Gelu (wide_{i})
    narrow_{i} = MatMul (active_{i}, narrow_weight_{i})
    biased_{i} = Add (narrow_{i}, shift_{i})
    x_{next} = Add (biased_{i}, middle_{i})
"""
"""One layer in ONNX's text, 24 nodes."""

WEIGHTS = {
    "scale": (WIDTH,),
    "shift": (WIDTH,),
    **dict.fromkeys(("query_weight", "key_weight", "value_weight", "out_weight"), (WIDTH, WIDTH)),
    "wide_weight": (WIDTH, INNER),
    "narrow_weight": (INNER, WIDTH),
}
"""Shapes of a layer's own weights."""


def tables() -> Iterator[Table]:
    """Yield CPU seconds, medians of rounds that take the sizes in turn, in all and a node."""
    models = {layers: encoder(layers) for layers in LAYERS}
    seconds: dict[int, list[float]] = {layers: [] for layers in LAYERS}
    for round in range(ROUNDS + 1):
        for layers, model in models.items():
            taken = _cpu_seconds(model)
            if round:
                seconds[layers].append(taken)
    counts = {layers: len(model.graph.node) for layers, model in models.items()}
    each = {layers: median(taken) / counts[layers] for layers, taken in seconds.items()}
    rows = [
        (f"an encoder of {layers} layers", counts[layers], median(seconds[layers]), 1e6 * each[layers],
         each[layers] / each[LAYERS[0]])
        for layers in LAYERS
    ]  # fmt: skip
    yield Table("Compile time as a model grows", ("model", "nodes", "CPU s", "us a node", "over the first"), rows)


def _cpu_seconds(model: onnx.ModelProto) -> float:
    """Return the CPU seconds of one compile; what the one before left is collected first."""
    gc.collect()
    started = time.process_time()
    ttc.compile(model)
    return time.process_time() - started


def encoder(layers: int) -> onnx.ModelProto:
    """Build an encoder whose layers have weights of their own."""
    text = "".join(LAYER.format(i=i, next=i + 1) for i in range(layers))
    sizes = f"float[1,{TOKENS},{WIDTH}]"
    model = parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 20]> encoder ({sizes} x_0) => ({sizes} x_{layers}) {{{text}}}'
    )
    shapes = {f"{name}_{i}": shape for i in range(layers) for name, shape in WEIGHTS.items()}
    arrays = {
        **{name: np.full(shape, 0.1, np.float32) for name, shape in shapes.items()},
        "root": np.array((WIDTH // HEADS) ** -0.5, np.float32),
        "split": np.array([1, TOKENS, HEADS, WIDTH // HEADS]),
        "join": np.array([1, TOKENS, WIDTH]),
    }
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model
