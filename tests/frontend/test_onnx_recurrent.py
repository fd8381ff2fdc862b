import itertools

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tests.frontend.onnx_models import assert_agree, model_of, run_ours
from ttc.errors import Refused

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
INPUTS = ("x", "w", "r", "b", "lengths", "h", "c", "p")


def arrays(kind, directions, *, steps=5, batch=3, size=4, hidden=6, lengths=(5, 2, 4), given=INPUTS, seed=0):
    """Weights and inputs of one recurrence by name; those of `given` that it takes."""
    draw = np.random.default_rng(seed).standard_normal
    gates = GATES[kind]
    every = {
        "x": draw((steps, batch, size)),
        "w": draw((directions, gates * hidden, size)) / 2,
        "r": draw((directions, gates * hidden, hidden)) / 3,
        "b": draw((directions, 2 * gates * hidden)) / 3,
        "lengths": np.array(lengths),
        "h": draw((directions, batch, hidden)),
        "c": draw((directions, batch, hidden)),
        "p": draw((directions, 3 * hidden)) / 3,
    }
    taken = INPUTS if kind == "LSTM" else INPUTS[:6]
    return {
        n: a.astype(np.int32 if n == "lengths" else np.float32) for n, a in every.items() if n in given and n in taken
    }


def recurrence(kind, found, **attributes):
    """A model of one node; x, lengths and states are inputs, all else are weights."""
    names = [name if name in found else "" for name in INPUTS[: 8 if kind == "LSTM" else 6]]
    outputs = ["y", "y_h", "y_c"][: 3 if kind == "LSTM" else 2]
    node = helper.make_node(kind, names, outputs, hidden_size=found["r"].shape[-1], **attributes)
    inputs = {name: found[name] for name in ("x", "lengths", "h", "c") if name in found}
    weights = {name: found[name] for name in ("w", "r", "b", "p") if name in found}
    return model_of([node], inputs, outputs, weights=weights), inputs


DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


@pytest.mark.parametrize(("kind", "direction"), [*itertools.product(GATES, DIRECTIONS)])
@pytest.mark.parametrize("given", [("x", "w", "r"), ("x", "w", "r", "b", "lengths"), INPUTS], ids=len)
def test_as_onnxruntime(kind, direction, given):
    found = arrays(kind, DIRECTIONS[direction], given=given)
    assert_agree(*recurrence(kind, found, direction=direction))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_reset_after_the_product(direction):
    found = arrays("GRU", DIRECTIONS[direction])
    assert_agree(*recurrence("GRU", found, direction=direction, linear_before_reset=1))


@pytest.mark.parametrize("kind", GATES)
def test_clip(kind):
    found = arrays(kind, 2, given=("x", "w", "r", "b", "lengths"))
    assert_agree(*recurrence(kind, found, direction="bidirectional", clip=0.3))


@pytest.mark.parametrize(
    ("kind", "activations", "alpha", "beta"),
    [
        ("RNN", ["Relu", "Relu"], [], []),
        ("RNN", ["Softsign", "Affine"], [0.4], [0.1]),
        ("RNN", ["ThresholdedRelu", "LeakyRelu"], [0.3, 0.2], []),
        ("GRU", ["HardSigmoid", "Softsign"] * 2, [0.2, 0.2], [0.5, 0.5]),
        ("GRU", ["Sigmoid", "Tanh", "HardSigmoid", "Relu"], [0.3], [0.4]),
        ("GRU", ["Sigmoid", "ScaledTanh"] * 2, [0.9, 0.8], [1.1, 0.7]),
        ("LSTM", ["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Tanh"], [0.2], [0.5]),
        ("LSTM", ["Sigmoid", "Elu", "Softplus"] * 2, [1.0, 0.5], []),
        ("LSTM", ["Sigmoid", "LeakyRelu", "ScaledTanh"] * 2, [0.01, 1.2, 0.3, 0.9], [0.8, 1.0]),
    ],
)
def test_other_activations(kind, activations, alpha, beta):
    found = arrays(kind, 2, given=INPUTS[:7])
    parameters = {"activation_alpha": alpha, "activation_beta": beta}
    given = {name: numbers for name, numbers in parameters.items() if numbers}
    assert_agree(*recurrence(kind, found, direction="bidirectional", activations=activations, **given))


@pytest.mark.parametrize("given", [INPUTS[:5], INPUTS], ids=len)
def test_coupled_gates(given):
    found = arrays("LSTM", 2, given=given)
    assert_agree(*recurrence("LSTM", found, direction="bidirectional", input_forget=1))


@pytest.mark.parametrize("kind", GATES)
def test_layout_with_the_batch_first(kind):
    found = arrays(kind, 1, lengths=(5, 5, 5), given=("x", "w", "r", "b"))
    turned = {**found, "x": found["x"].transpose(1, 0, 2)}
    model, inputs = recurrence(kind, turned, layout=1)
    wanted = run_ours(*recurrence(kind, found))
    for name, ours in run_ours(model, inputs).items():
        np.testing.assert_allclose(
            ours, wanted[name].transpose(*((2, 0, 1, 3) if name == "y" else (1, 0, 2))), rtol=1e-6
        )
    theirs = ReferenceEvaluator(model).run(["y"], inputs)[0]
    np.testing.assert_allclose(run_ours(model, inputs)["y"], theirs, rtol=1e-4, atol=1e-5)


def test_lengths_that_fill_x_leave_no_trace():
    from ttc import ops
    from ttc.frontend.onnx import load

    found = arrays("LSTM", 1, lengths=(5, 5, 5), given=INPUTS[:5])
    model, _ = recurrence("LSTM", found)
    model.graph.initializer.append(helper.make_tensor("full", 6, [3], [5, 5, 5]))
    model.graph.node[0].input[4] = "full"
    (lstm,) = (node.op for node in load(model).nodes if isinstance(node.op, ops.Lstm))
    assert lstm.lengths is None


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"activations": ["Sigmoid", "Gelu", "Tanh"]}, "no activation is called gelu"),
        ({"activations": ["Sigmoid"]}, "needs 3 activations"),
        ({"direction": "bidirectional"}, "1 directions"),
    ],
)
def test_refused(attributes, reason):
    with pytest.raises(Refused, match=reason):
        run_ours(*recurrence("LSTM", arrays("LSTM", 1), **attributes))
