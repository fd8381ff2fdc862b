"""Random recurrences of ONNX as programs, compared with onnxruntime."""

from __future__ import annotations

import random

import numpy as np
import pytest

import ttc
from tests.frontend.onnx_models import run_theirs
from tests.frontend.test_onnx_recurrent import DIRECTIONS, INPUTS, arrays, recurrence
from ttc.validation.accuracy import pcc, scaled_error

ACTIVATIONS = {
    "RNN": (["Tanh"], ["Relu"], ["Sigmoid"], ["Softsign"], ["Affine"], ["ThresholdedRelu"]),
    "GRU": (["Sigmoid", "Tanh"], ["HardSigmoid", "Softsign"], ["Sigmoid", "Relu"], ["Sigmoid", "ScaledTanh"]),
    "LSTM": (
        ["Sigmoid", "Tanh", "Tanh"],
        ["HardSigmoid", "Softsign", "Tanh"],
        ["Sigmoid", "LeakyRelu", "Softsign"],
        ["Sigmoid", "Elu", "ScaledTanh"],
    ),
}
"""Of one direction; those that ONNX has by default first."""

ALPHA = {"HardSigmoid": 0.25, "Affine": 0.5, "ThresholdedRelu": 0.1, "ScaledTanh": 0.9, "LeakyRelu": 0.2, "Elu": 0.7}
BETA = {"HardSigmoid": 0.4, "Affine": 0.1, "ScaledTanh": 0.8}


def case(seed: int):
    """A model of one node and its inputs; numbers in the padding."""
    draw = random.Random(seed)
    kind, direction = draw.choice([*ACTIVATIONS]), draw.choice([*DIRECTIONS])
    steps, batch, size, hidden = (draw.randint(1, top) for top in (12, 4, 40, 48))
    optional = [name for name in INPUTS[3:] if draw.random() < 0.6]
    found = arrays(
        kind,
        DIRECTIONS[direction],
        steps=steps,
        batch=batch,
        size=size,
        hidden=hidden,
        lengths=[draw.randint(1, steps) for _ in range(batch)],
        given=(*INPUTS[:3], *optional),
        seed=seed,
    )
    found["w"] *= 2 / np.float32(size) ** 0.5  # as frameworks initialise: states neither die out nor grow over time
    found["r"] *= 3 / np.float32(hidden) ** 0.5
    attributes = {"direction": direction}
    if draw.random() < 0.2:
        attributes["clip"] = draw.choice([0.3, 2.0])
    if draw.random() < 0.4:
        names = draw.choice(ACTIVATIONS[kind]) * DIRECTIONS[direction]
        attributes["activations"] = names
        for what, usual in (("activation_alpha", ALPHA), ("activation_beta", BETA)):
            if numbers := [usual[name] for name in names if name in usual]:
                attributes[what] = numbers
    if kind == "GRU" and draw.random() < 0.5:
        attributes["linear_before_reset"] = 1
    if kind == "LSTM" and draw.random() < 0.3:
        attributes["input_forget"] = 1
    return recurrence(kind, found, **attributes)


def as_onnxruntime(seed: int) -> None:
    model, inputs = case(seed)
    wanted = run_theirs(model, inputs)
    for dtype in ("fp32", "bf16"):
        found = ttc.compile(model, dtype=dtype).run(inputs)
        for name, array in wanted.items():
            if dtype == "fp32":
                assert scaled_error(found[name], array) <= 1e-5, f"{name} of {model.graph.node[0]}"
            else:
                assert pcc(found[name], array) >= 0.999, f"{name} of {model.graph.node[0]}"


@pytest.mark.parametrize("seed", range(40))
def test_random_recurrences(seed: int):
    as_onnxruntime(seed)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(40, 340))
def test_more_random_recurrences(seed: int):
    as_onnxruntime(seed)
