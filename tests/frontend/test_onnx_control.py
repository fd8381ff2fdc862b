"""Control flow, sequences, and floats of up to 8 bits: what becomes of them when a graph is read."""

import ml_dtypes
import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.onnx_models import model_of
from ttc import ops
from ttc.errors import NeedsValues, Refused
from ttc.frontend.onnx import load
from ttc.frontend.onnx.small_floats import FORMATS

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def evaluated(model, inputs: dict, values: dict | None = None) -> dict[str, np.ndarray]:
    graph = load(model, values=values)
    tensors = {name: torch.from_numpy(np.asarray(item)) for name, item in inputs.items()}
    return {name: tensor.numpy() for name, tensor in ops.evaluate(graph, tensors).items()}


def info(name: str, kind: int = TensorProto.FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def loop(body_nodes, body_outputs, outputs, trip="n", condition=""):
    """A Loop over `s`, which starts as x."""
    inputs = [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("s", shape=[2, 3])]
    body = helper.make_graph(body_nodes, "body", inputs, [info(name) for name in body_outputs])
    return helper.make_node("Loop", [trip, condition, "x"], outputs, body=body)


DOUBLED = [helper.make_node("Add", ["s", "s"], ["t"]), helper.make_node("Identity", ["go"], ["again"])]


def test_a_loop_is_unrolled_and_its_rows_are_stacked():
    node = loop([*DOUBLED, helper.make_node("Identity", ["t"], ["row"])], ["again", "t", "row"], ["y", "rows"])
    model = model_of([node], {"x": X}, ("y", "rows"), weights={"n": np.array(3)})
    found = evaluated(model, {"x": X})
    np.testing.assert_array_equal(found["y"], 8 * X)
    np.testing.assert_array_equal(found["rows"], [2 * X, 4 * X, 8 * X])


def test_a_loop_ends_when_its_condition_does():
    two = numpy_helper.from_array(np.array(2), "two")
    nodes = [
        helper.make_node("Add", ["s", "s"], ["t"]),
        helper.make_node("Constant", [], ["two"], value=two),
        helper.make_node("Less", ["i", "two"], ["again"]),
    ]
    model = model_of([loop(nodes, ["again", "t"], ["y"], trip="")], {"x": X}, ("y",))
    np.testing.assert_array_equal(evaluated(model, {"x": X})["y"], 8 * X)


def test_a_trip_count_given_at_run_time_is_asked_for():
    model = model_of([loop(DOUBLED, ["again", "t"], ["y"])], {"x": X, "n": np.array(2)}, ("y",))
    with pytest.raises(NeedsValues, match="needs its trip count when compiling") as caught:
        load(model)
    assert caught.value.names == ["n"]
    np.testing.assert_array_equal(evaluated(model, {"x": X}, {"n": np.array(2)})["y"], 4 * X)


def test_a_condition_that_depends_on_large_data_is_refused():
    nodes = [
        helper.make_node("ReduceSum", ["big"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["n"], to=TensorProto.INT64),
        loop(DOUBLED, ["again", "t"], ["y"]),
    ]
    with pytest.raises(Refused, match="needs its trip count when compiling") as caught:
        load(model_of(nodes, {"x": X, "big": np.ones((40, 40), np.float32)}, ("y",)))
    assert not isinstance(caught.value, NeedsValues)


def test_too_many_steps():
    model = model_of([loop(DOUBLED, ["again", "t"], ["y"])], {"x": X}, ("y",), weights={"n": np.array(10**6)})
    with pytest.raises(Refused, match="has more than 512 steps, to which loops are unrolled"):
        load(model)


def test_a_body_that_cannot_be_compiled_is_named_once():
    nodes = [helper.make_node("Unique", ["s"], ["t"], name="inside"), DOUBLED[1]]
    model = model_of([loop(nodes, ["again", "t"], ["y"])], {"x": X}, ("y",), weights={"n": np.array(3)})
    with pytest.raises(Refused) as caught:
        load(model)
    assert len(caught.value.reasons) == 1


@pytest.mark.parametrize(("axis", "backwards"), [(0, 0), (1, 0), (0, 1), (-1, 0)])
@pytest.mark.parametrize(("stacked", "reversed"), [(0, 0), (1, 0), (-1, 0), (-2, 0), (0, 1), (1, 1)])
def test_a_scan_is_unrolled(axis, backwards, stacked, reversed):
    rows = X.shape[0 if axis else 1]
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "item"], ["t"]), helper.make_node("Identity", ["t"], ["row"])],
        "body",
        [info("s", shape=[rows]), info("item", shape=[rows])],
        [info("t"), info("row")],
    )
    node = helper.make_node(
        "Scan", ["start", "x"], ["y", "rows"], body=body, num_scan_inputs=1,
        scan_input_axes=[axis], scan_input_directions=[backwards],
        scan_output_axes=[stacked], scan_output_directions=[reversed],
    )  # fmt: skip
    start = np.zeros(rows, np.float32)
    found = evaluated(model_of([node], {"x": X, "start": start}, ("y", "rows")), {"x": X, "start": start})
    items = np.moveaxis(X, axis, 0)[:: -1 if backwards else 1]
    sums = np.cumsum(items, 0)[:: -1 if reversed else 1]
    np.testing.assert_array_equal(found["rows"], np.moveaxis(sums, 0, stacked))
    np.testing.assert_array_equal(found["y"], items.sum(0))


def test_sequences_leave_no_trace():
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["parts"], axis=1),
        helper.make_node("SequenceInsert", ["parts", "z", "one"], ["more"]),
        helper.make_node("SequenceErase", ["more", "zero"], ["fewer"]),
        helper.make_node("SequenceLength", ["fewer"], ["n"]),
        helper.make_node("ConcatFromSequence", ["fewer"], ["y"], axis=1),
        helper.make_node("SequenceAt", ["fewer", "zero"], ["first"]),
    ]
    z = np.full((2, 2), 7, np.float32)
    weights = {"one": np.array(1), "zero": np.array(0)}
    found = evaluated(model_of(nodes, {"x": X, "z": z}, ("y", "n", "first"), weights=weights), {"x": X, "z": z})
    np.testing.assert_array_equal(found["y"], np.concatenate([z, X[:, 1:]], 1))
    np.testing.assert_array_equal(found["first"], z)
    assert found["n"] == 3


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "scans 0 of its 2 inputs"),
        ({"num_scan_inputs": 3}, "scans 3 of its 2 inputs"),
        ({"num_scan_inputs": -1}, "scans -1 of its 2 inputs"),
        ({"num_scan_inputs": 1, "scan_input_axes": [0, 0]}, "scan_input_axes has 2 numbers for 1 tensors"),
        ({"num_scan_inputs": 1, "scan_input_axes": [2]}, "axis 2"),
        ({"num_scan_inputs": 2, "scan_input_directions": [1]}, "scan_input_directions has 1 numbers for 2 tensors"),
        ({"num_scan_inputs": 1, "scan_output_axes": [2]}, "axis 2"),
        ({"num_scan_inputs": 1, "scan_output_axes": [-3]}, "axis -3"),
        ({"num_scan_inputs": 1, "scan_output_axes": [0, 1]}, "scan_output_axes has 2 numbers for 1 tensors"),
        ({"num_scan_inputs": 1, "scan_output_directions": [0, 0]}, "scan_output_directions has 2 numbers"),
        ({"num_scan_inputs": 2}, "scans inputs of different lengths"),
    ],
)
def test_a_scan_that_fits_nothing_is_refused(attributes: dict, message: str):
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "item"], ["t"]), helper.make_node("Identity", ["t"], ["row"])],
        "body", [info("s", shape=[3]), info("item", shape=[3])], [info("t"), info("row")],
    )  # fmt: skip
    node = helper.make_node("Scan", ["start", "x"], ["y", "rows"], body=body, **attributes)
    with pytest.raises(Refused, match=message):
        load(model_of([node], {"x": X, "start": np.zeros(3, np.float32)}, ("y", "rows")))


def split_into(count: int, **fields) -> list[np.ndarray]:
    """The items of SplitToSequence of X, which are `count`; without fields, its defaults."""
    names = [f"item{place}" for place in range(count)]
    nodes = [helper.make_node("SplitToSequence", ["x"], ["parts"], **fields)]
    nodes.append(helper.make_node("SequenceLength", ["parts"], ["n"]))
    places = {f"place{place}": np.array(place) for place in range(count)}
    nodes += [helper.make_node("SequenceAt", ["parts", f"place{place}"], [name]) for place, name in enumerate(names)]
    found = evaluated(model_of(nodes, {"x": X}, ("n", *names), weights=places), {"x": X})
    assert found["n"] == count
    return [found[name] for name in names]


def test_splits_into_rows_that_keep_their_dimension_by_default():
    for item, row in zip(split_into(len(X)), X, strict=True):
        np.testing.assert_array_equal(item, row[None])


def test_splits_into_rows_without_their_dimension():
    for item, row in zip(split_into(len(X), keepdims=0), X, strict=True):
        np.testing.assert_array_equal(item, row)
    for item, column in zip(split_into(X.shape[1], keepdims=0, axis=-1), X.T, strict=True):
        np.testing.assert_array_equal(item, column)


def test_a_sequence_is_no_output_and_no_operand():
    split = helper.make_node("SplitToSequence", ["x"], ["parts"], axis=1)
    with pytest.raises(Refused, match="the output is a sequence: programs give tensors"):
        load(model_of([split], {"x": X}, ("parts",)))
    with pytest.raises(Refused, match="Relu: takes a sequence, which only sequence operators can"):
        load(model_of([split, helper.make_node("Relu", ["parts"], ["y"])], {"x": X}, ("y",)))


KINDS = {
    "f8e4m3fn": (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
    "f8e4m3fnuz": (TensorProto.FLOAT8E4M3FNUZ, ml_dtypes.float8_e4m3fnuz),
    "f8e5m2": (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
    "f8e5m2fnuz": (TensorProto.FLOAT8E5M2FNUZ, ml_dtypes.float8_e5m2fnuz),
    "f4e2m1": (TensorProto.FLOAT4E2M1, ml_dtypes.float4_e2m1fn),
}


@pytest.mark.parametrize("name", KINDS)
def test_rounding_to_small_floats_is_exact(name):
    """Every number of the format, every tie between two, what lies just beside a tie, and random numbers."""
    kind, dtype = KINDS[name]
    bits = np.arange(16 if name == "f4e2m1" else 256, dtype=np.uint8)
    held = (
        bits.view(dtype).astype(np.float32)
        if name != "f4e2m1"
        else bits.astype(np.uint8).view(dtype).astype(np.float32)
    )
    held = np.unique(held[np.isfinite(held)])
    ties = ((held[1:].astype(np.float64) + held[:-1]) / 2).astype(np.float32)
    random = np.random.default_rng(0).standard_normal(500).astype(np.float32) * held.max() / 4
    x = np.concatenate([held, ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf), random])
    x = x[np.abs(x) <= held.max()]
    model = model_of([helper.make_node("Cast", ["x"], ["y"], to=kind)], {"x": x}, ("y",))
    np.testing.assert_array_equal(evaluated(model, {"x": x})["y"], x.astype(dtype).astype(np.float32))
    assert {str(dtype) for dtype in FORMATS} == set(KINDS)
