"""The operators of onnxruntime's domain, against onnxruntime."""

import numpy as np
import pytest
from onnx import helper

from tests.frontend.onnx_models import check, model_of
from ttc.errors import Refused
from ttc.frontend.onnx import load
from ttc.frontend.onnx.table import MICROSOFT

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


X = {"x": normal(2, 3, 4, 5)}
IMAGE = {"x": normal(1, 4, 9, 8)}


def test_operators_of_onnxruntime():
    rows = {"x": normal(2, 3, 8)}
    check("Gelu", rows, domain=MICROSOFT)
    check("BiasGelu", rows, weights={"bias": normal(8)}, domain=MICROSOFT)
    check("FastGelu", rows, weights={"bias": normal(8)}, domain=MICROSOFT)
    check("QuickGelu", rows, domain=MICROSOFT, alpha=1.5)
    check("FusedMatMul", {"x": normal(2, 4, 3), "w": normal(2, 5, 4)}, domain=MICROSOFT, transA=1, transB=1, alpha=0.3)
    norm = {"gamma": normal(8), "beta": normal(8), "bias": normal(8)}
    check("SkipLayerNormalization", {**rows, "skip": normal(2, 3, 8)}, weights=norm, outputs=("y", "", "", "sum"),
          domain=MICROSOFT, epsilon=1e-5)  # fmt: skip
    check("FusedConv", IMAGE, weights={"w": normal(4, 4, 1, 1)}, domain=MICROSOFT, activation="Relu")


@pytest.mark.parametrize(
    ("activation", "numbers"),
    [
        ("Relu", {}), ("Sigmoid", {}), ("Tanh", {}), ("Softplus", {}), ("Softsign", {}),
        ("Elu", {"alpha": 0.5}), ("LeakyRelu", {"alpha": 0.2}), ("ThresholdedRelu", {"alpha": 0.7}),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}), ("Selu", {"alpha": 1.5, "gamma": 1.2}),
    ],
)  # fmt: skip
def test_products_with_an_activation(activation, numbers):
    attributes = {"activation": activation, **{f"activation_{name}": number for name, number in numbers.items()}}
    weights = {"w": normal(4, 5), "c": normal(1, 5)}
    check("FusedGemm", {"x": normal(4, 3)}, weights=weights, domain=MICROSOFT, transA=1, alpha=0.8, **attributes)


def test_an_activation_of_a_product_is_one_that_onnxruntime_has():
    node = helper.make_node("FusedGemm", ["x", "w"], ["y"], domain=MICROSOFT, activation="Neg")
    model = model_of([node], {"x": normal(3, 4)}, weights={"w": normal(4, 5)}, domains={MICROSOFT: 1})
    with pytest.raises(Refused, match="no activation is called 'Neg'"):
        load(model)


@pytest.mark.parametrize("transposed", [0, 1])
def test_products_whose_rows_lie_before_the_batch(transposed):
    """As onnxruntime's optimiser writes the attention of every PyTorch model."""
    x = normal(2, 3, 4, 5) if transposed else normal(2, 3, 5, 4)
    w = normal(2, 3, 6, 5) if transposed else normal(2, 3, 5, 6)
    moved, flags = np.ascontiguousarray(np.moveaxis(w, 2, 0)), {"transA": 1 - transposed, "transB": transposed}
    check("FusedMatMul", {"x": x, "w": moved}, domain=MICROSOFT, transBatchB=1, **flags)
    moved = np.ascontiguousarray(np.moveaxis(x, 2, 0))
    check("FusedMatMul", {"x": moved, "w": w}, domain=MICROSOFT, transBatchA=1, **flags)
    with pytest.raises(Refused, match=r"moves the batch dimensions of f32\[5\]"):
        check("FusedMatMul", {"x": normal(5), "w": normal(5, 5)}, domain=MICROSOFT, transBatchA=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
def test_quantisation_of_onnxruntime(dtype):
    weights = {"scale": np.float32(0.05), "zero": dtype(100)}
    check("QuantizeLinear", X, weights=weights, domain=MICROSOFT)
    check("DequantizeLinear", {"x": np.arange(90, 110).astype(dtype)}, weights=weights, domain=MICROSOFT)
