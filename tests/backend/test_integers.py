"""Integers beyond 32 bits: exact while compiling, refused as constants of a program, and never stored as others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx import helper

import ttc
from tests.frontend.onnx_models import model_of
from ttc import ops
from ttc.calls.target import target_named
from ttc.errors import InputError, Refused
from ttc.ir import Builder, Const, DType, Input, TensorType, Weight, Weights
from ttc.ops.derived import derived_weights, literals
from ttc.pipeline import Options, compile_graph

X = np.array([2**31 - 1, -(2**31), 5, -7])
FAR = np.array([1, 2, 3, 2**40])


def run(node_or_nodes, inputs=None, dtype="fp32", target="n150", **constants):
    nodes = node_or_nodes if isinstance(node_or_nodes, list) else [node_or_nodes]
    inputs = {"x": X} if inputs is None else inputs
    model = model_of(nodes, inputs, weights={name: np.asarray(array) for name, array in constants.items()})
    return ttc.compile(model, dtype=dtype, target=target).run(inputs)["y"]


node = helper.make_node


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        (node("Add", ["x", "c"], ["y"]), {"c": 2**31}),
        (node("Add", ["x", "c"], ["y"]), {"c": FAR}),
        (node("Add", ["x", "c"], ["y"]), {"c": -FAR}),
        (node("Mul", ["c", "x"], ["y"]), {"c": np.arange(4) * 2**33}),
        (node("Gather", ["c", "i"], ["y"]), {"c": FAR}),
        (node("Less", ["x", "c"], ["y"]), {"c": FAR}),
        (node("Identity", ["c"], ["y"]), {"c": FAR}),
        (node("Clip", ["x", "c"], ["y"]), {"c": 2**31}),
        ([node("Add", ["c", "c"], ["d"]), node("Max", ["x", "d"], ["y"])], {"c": 2**30 * np.ones(4, "int64")}),
    ],
    ids=lambda item: ".".join(n.op_type for n in item) if isinstance(item, list) else getattr(item, "op_type", ""),
)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_constants_beyond_32_bits_are_refused(nodes, constants, dtype):
    inputs = {"x": X, "i": np.array([0, 3])}
    with pytest.raises(Refused, match=r"the integer -?\d+ does not fit the device's 32 bits"):
        run(nodes, inputs, dtype, **constants)


def test_every_constant_is_looked_at():
    """Behind constants of numbers, behind those that fit, and behind one that does not."""
    nodes = [
        node("Mul", ["f", "w"], ["g"]), node("Cast", ["g"], ["h"], to=7), node("Add", ["h", "e"], ["i"]),
        node("Add", ["i", "c"], ["j"]), node("Concat", ["j", "d"], ["y"], axis=0),
    ]  # fmt: skip
    w, inputs = np.array([1, 2, 3, 4], np.float32), {"f": np.ones(4, np.float32)}
    with pytest.raises(Refused) as caught:
        run(nodes, inputs, w=w, e=np.array([1, 2, 3, 4]), c=FAR, d=-FAR)
    assert all(f"the integer {number} does not fit" in str(caught.value) for number in (2**40, -(2**40)))


def test_the_ends_of_32_bits_are_held():
    ends = np.array([2**31 - 1, -(2**31), 0, 1])
    zeros = {"x": np.zeros(4, "int64")}
    np.testing.assert_array_equal(run(node("Max", ["x", "c"], ["y"]), zeros, target="p150", c=ends), ends.clip(0))
    np.testing.assert_array_equal(run(node("Gather", ["c", "x"], ["y"]), {"x": np.array([1, 0])}, c=ends), ends[[1, 0]])


def test_constants_are_folded_in_64_bits():
    """2^40 + 2^40 - (2^41 - 5) is 5, and no less exact beyond what a double holds."""
    nodes = [node("Add", ["c", "c"], ["d"]), node("Sub", ["d", "e"], ["f"]), node("Add", ["x", "f"], ["y"])]
    x = np.array([1, -2])
    np.testing.assert_array_equal(run(nodes, {"x": x}, c=2**40, e=2**41 - 5), x + 5)
    nodes = [node("Mul", ["c", "d"], ["p"]), node("Mod", ["p", "e"], ["f"]), node("Add", ["x", "f"], ["y"])]
    c, d, e = 3**20 + 1, 2**29 - 3, 10**6 + 3
    np.testing.assert_array_equal(run(nodes, {"x": x}, c=c, d=d, e=e), x + c * d % e)


@pytest.mark.parametrize(
    "kind", [ops.Add, ops.Sub, ops.Mul, ops.Div, ops.FloorDiv, ops.Remainder, ops.Maximum, ops.Pow]
)
def test_every_integer_operation_folds_as_python_computes(kind):
    a, b = 3**38 + 2, 3 if kind is not ops.Pow else 1
    python = {
        ops.Add: a + b, ops.Sub: a - b, ops.Mul: a * b, ops.Div: a // b, ops.FloorDiv: a // b, ops.Remainder: a % b,
        ops.Maximum: max(a, b), ops.Pow: a**b,
    }  # fmt: skip
    builder, scalar = Builder(normal=ops.FOLDED), TensorType(DType.i64, ())
    folded = builder(kind(builder(ops.Full(scalar, a)), builder(ops.Full(scalar, b))))
    assert ops.number_of(folded) == python[kind]


def test_bounds_that_exclude_no_32_bit_number_are_left_out():
    low, high = -(2**62), 2**62
    np.testing.assert_array_equal(run(node("Clip", ["x", "low", "high"], ["y"]), low=low, high=high), X)
    np.testing.assert_array_equal(run(node("Clip", ["x", "low", "high"], ["y"]), low=-6, high=high), X.clip(-6))
    np.testing.assert_array_equal(
        run(node("Clip", ["x", "", "high"], ["y"]), high=0x7F7FFFFF), X.clip(None, 0x7F7FFFFF)
    )
    found = run(node("Clip", ["x", "", "high"], ["y"]), target="p150", high=2**31 - 2)
    np.testing.assert_array_equal(found, X.clip(None, 2**31 - 2))


WORDS = "wormhole_b0 computes with integers of -2139095039 to 2139095039"
"""-0x7F7FFFFF to 0x7F7FFFFF."""


@pytest.mark.parametrize(
    ("nodes", "c"),
    [
        (node("Add", ["x", "c"], ["y"]), -0x7F800000),
        (node("Add", ["x", "c"], ["y"]), np.array([0, 1, 2, 0x7F800000])),
        (node("Clip", ["x", "c"], ["y"]), -0x7F800000),
        (node("Where", ["b", "x", "c"], ["y"]), -(2**31)),
        ([node("Transpose", ["c"], ["d"]), node("Max", ["x", "d"], ["y"])], np.array([0, 1, 2, -(2**31)])),
    ],
)
def test_constants_that_wormhole_computes_with_are_within_its_range(nodes, c):
    inputs = {"x": X, "b": X > 0} if "Where" in str(nodes) else None
    with pytest.raises(Refused, match=WORDS):
        run(nodes, inputs, c=c)
    run(nodes, inputs, target="p150", c=c)
    within = np.sign(c) * np.minimum(np.abs(c), 0x7F7FFFFF)
    run(nodes, inputs, c=within)


def test_constants_that_only_move_are_any():
    nodes = [node("Concat", ["x", "c"], ["y"], axis=0)]
    np.testing.assert_array_equal(run(nodes, c=np.array([-(2**31)])), np.append(X, -(2**31)))


def test_weights_that_come_later_are_looked_at_when_they_come():
    type = TensorType(DType.i64, (4,))
    builder = Builder(Weights({"w": Weight(type, None)}))
    total = builder(ops.Add(builder(Input(type, "x")), builder(Const(type, "w"))))
    build = compile_graph(builder.finish([("y", total)]), Options(target_named("n150"), "fp32"))
    bound = derived_weights({"w": TensorType(DType.i32, (4,))}, _with(build.derivations, "w", type, FAR))
    with pytest.raises(InputError, match=r"weight 'w': the integer 1099511627776 does not fit"):
        bound.read("w")
    assert not literals(build.derivations)


def _with(graph, ref, type, array):
    return replace(graph, weights=Weights({ref: Weight(type, lambda: array)}))


def test_what_a_run_computes_past_32_bits_is_what_32_bits_hold():
    """As the page of numbers says: the low 32 bits; inputs that do not fit are refused."""
    found = run(node("Add", ["x", "c"], ["y"]), c=1)
    np.testing.assert_array_equal(found, (X + 1).astype("int32"))
    with pytest.raises(InputError, match="holds 2147483648, which int32 on the device cannot hold"):
        run(node("Add", ["x", "c"], ["y"]), {"x": np.array([2**31])}, c=1)


def test_torch_modules_alike():
    class Far(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("far", torch.from_numpy(FAR))

        def forward(self, x):
            return x + self.far

    with pytest.raises(Refused, match="the integer 1099511627776 does not fit the device's 32 bits"):
        ttc.compile(Far(), (torch.zeros(4, dtype=torch.int64),))
