"""A small program made by hand: two linear layers, with every kind of thing that a session meets."""

from __future__ import annotations

import numpy as np

from ttc.calls.call import ComputeKernelConfig
from ttc.calls.layout import Deallocate, ToLayout
from ttc.calls.matmul import Linear
from ttc.ir import Builder, Const, DType, Graph, Input, Layout, Spec, TensorType, Weight, Weights
from ttc.ir.weights import float32_to_bf16
from ttc.runtime.run.program import Program

HIDDEN, OUT = 96, 10


def graph(dtype: DType = DType.bf16, rows: int = 4) -> Graph:
    """y = gelu(x @ w1) @ w2 + b, where w1 takes a detour through ROW_MAJOR; x is handed back as well."""
    config = ComputeKernelConfig()
    builder = Builder()
    x = builder(Input(Spec(dtype, (rows, 64)), "x"))
    w1 = builder(Const(Spec(dtype, (64, HIDDEN)), "w1"))
    w2 = builder(Const(Spec(dtype, (HIDDEN, OUT)), "w2"))
    b = builder(Const(Spec(DType.f32, (OUT,)), "b"))
    w1 = builder(ToLayout(builder(ToLayout(w1, Layout.ROW_MAJOR)), Layout.TILE))
    hidden = builder(Linear(x, w1, activation="gelu", compute_kernel_config=config), "hidden")
    y = builder(Linear(hidden, w2, bias=b, compute_kernel_config=config), "y")
    builder(Deallocate(hidden))
    return builder.finish({"y": y, "x_again": x})


def program(dtype: DType = DType.bf16, declared: DType = DType.f32, rows: int = 4) -> Program:
    x, y = TensorType(declared, (rows, 64)), TensorType(DType.f32, (rows, OUT))
    return Program(
        graph(dtype, rows), (("x", x),), (("y", y), ("x_again", x)), "n150", "bf16" if dtype is DType.bf16 else "fp32"
    )


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Weights in float32."""
    rng = np.random.default_rng(seed)
    shapes = {"w1": (64, HIDDEN), "w2": (HIDDEN, OUT), "b": (OUT,)}
    return {ref: rng.normal(size=shape).astype(np.float32) for ref, shape in shapes.items()}


def weights(dtype: DType = DType.bf16, seed: int = 0) -> Weights:
    """The same as the program stores them: matrices in `dtype`, bf16 as bit patterns."""
    items = {}
    for ref, array in arrays(seed).items():
        kind = DType.f32 if ref == "b" else dtype
        data = float32_to_bf16(array) if kind is DType.bf16 else array
        items[ref] = Weight(TensorType(kind, array.shape), lambda data=data: data)
    return Weights(items)


def reference(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """The layers in float64."""
    from math import erf

    w = arrays(seed)
    hidden = x.astype(np.float64) @ w["w1"]
    hidden = 0.5 * hidden * (1 + np.vectorize(erf)(hidden / np.sqrt(2)))
    return hidden @ w["w2"] + w["b"]
