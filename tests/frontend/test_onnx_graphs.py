"""Whole ONNX graphs: constants, shape arithmetic, functions, branches, outputs, and the nine light models."""

import glob
import os
import time

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.onnx_models import assert_agree, model_of, run_ours
from ttc import ops
from ttc.frontend.onnx import load
from ttc.ir import Const, DType, verify

X = np.random.default_rng(1).standard_normal((2, 3, 4), dtype=np.float32)
LIGHT = sorted(glob.glob(os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/light/*.onnx")))
node = helper.make_node


def kinds(graph) -> list[str]:
    return [type(item.op).__name__ for item in graph.nodes]


@pytest.mark.parametrize("path", LIGHT, ids=[os.path.basename(path)[:-5] for path in LIGHT])
def test_light_models_as_shipped(path):
    start = time.process_time()
    graph = verify(load(path))
    assert time.process_time() - start < 2.0, "loading takes some tens of milliseconds"
    feeds = {value.op.name: torch.ones(value.shape) for value in graph.inputs}
    (found,) = ops.evaluate(graph, feeds).values()
    with open(path.replace(".onnx", "_output_0.pb"), "rb") as file:
        expected = numpy_helper.to_array(TensorProto.FromString(file.read()))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


def test_light_models_are_there():
    assert len(LIGHT) == 9


def test_shape_arithmetic_leaves_no_trace():
    """The way exporters flatten: Shape, Gather, Mul, Concat, Reshape."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Unsqueeze", ["batch", "axis"], ["row"]),
        node("Concat", ["row", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("Relu", ["flat"], ["y"]),
    ]
    weights = {"zero": np.int64(0), "axis": np.array([0]), "rest": np.array([-1])}
    model = model_of(nodes, {"x": X}, weights=weights, dims={"x": ("B", 3, "T")})
    graph = load(model, lengths={"B": 2, "T": 4})
    assert kinds(graph) == ["Input", "Reshape", "Relu"]
    assert [item.results[0].name for item in graph.nodes] == ["x", "flat", "y"]
    np.testing.assert_array_equal(run_ours(model, {"x": X}, lengths={"B": 2, "T": 4})["y"], X.reshape(2, 12).clip(0))


def test_a_mask_made_when_compiling():
    nodes = [
        node("Range", ["zero", "length", "one"], ["positions"]),
        node("Unsqueeze", ["positions", "axis"], ["column"]),
        node("LessOrEqual", ["positions", "column"], ["causal"]),
        node("Where", ["causal", "x", "low"], ["y"]),
    ]
    weights = {
        "zero": np.int64(0), "one": np.int64(1), "length": np.int64(20), "axis": np.array([1]),
        "low": np.float32(-1e9),
    }  # fmt: skip
    x = {"x": np.ones((20, 20), np.float32)}
    model = model_of(nodes, x, weights=weights)
    assert kinds(load(model)) == ["Input", "Full", "Const", "Where"]
    assert_agree(model, x)


def test_programs_do_not_depend_on_weights():
    def text(seed: int) -> str:
        random = np.random.default_rng(seed)
        weights = {"w": random.standard_normal((4, 5), np.float32), "b": random.standard_normal(2, np.float32)}
        nodes = [
            node("MatMul", ["x", "w"], ["h"]),
            node("Constant", [], ["c"], value_floats=[*map(float, weights["b"])]),
        ]
        nodes += [node("Slice", ["c", "s", "e"], ["d"]), node("Add", ["h", "d"], ["y"])]
        bounds = {"s": np.array([1]), "e": np.array([2])}
        return str(load(model_of(nodes, {"x": X}, weights={**weights, **bounds})))

    assert text(1) == text(2)
    assert 'const(ref="w")' in text(1)
    assert 'const(ref="c")' in text(1)


def test_one_constant_rule():
    nodes = [node("Add", ["x", "tiny"], ["a"]), node("Mul", ["a", "pair"], ["b"]), node("Gather", ["b", "i"], ["y"])]
    weights = {"tiny": np.float32(2.5), "pair": np.ones(4, np.float32), "i": np.array([1, 0])}
    graph = load(model_of(nodes, {"x": X}, weights=weights))
    assert [item.op.ref for item in graph.nodes if isinstance(item.op, Const)] == ["pair"]
    assert set(graph.weights) == {"pair"}


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_small_weights_are_known_where_they_tell_how_to_compute(spatial: int):
    x = np.zeros((1, 2, *range(3, 3 + spatial)), np.float32)
    scales = np.array([1, 1, *[2] * spatial], np.float32)
    model = model_of([node("Resize", ["x", "", "s"], ["y"])], {"x": x}, weights={"s": scales})
    assert kinds(load(model)) == ["Input", "Upsample"]


def test_weights_listed_as_inputs():
    model = model_of([node("Mul", ["x", "w"], ["y"])], {"x": X, "w": X}, weights={"w": X}, opset=8)
    graph = load(model)
    assert [value.op.name for value in graph.inputs] == ["x"]


def test_outputs_of_every_kind():
    """A pass-through input, a weight, a constant, one value twice, and several dtypes."""
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("Identity", ["r"], ["again"]),
        node("Constant", [], ["c"], value_int=7),
        node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        node("Greater", ["x", "r"], ["flag"]),
    ]
    outputs = ("x", "w", "r", "again", "c", "half", "flag")
    model = model_of(nodes, {"x": X}, outputs, weights={"w": X[0]})
    graph = verify(load(model))
    assert [name for name, _ in graph.outputs] == list(outputs)
    assert graph.outputs[2][1] is graph.outputs[3][1]
    found = run_ours(model, {"x": X})
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_array_equal(found["w"], X[0])
    assert [str(found[name].dtype) for name in ("c", "half", "flag")] == ["int64", "float16", "bool"]


def test_unused_inputs_stay():
    graph = load(model_of([node("Relu", ["x"], ["y"])], {"x": X, "unused": X}))
    assert [value.op.name for value in graph.inputs] == ["x", "unused"]


def test_bf16_weights():
    bits = np.array([[0x3F80, 0x4000]], np.uint16)
    weight = helper.make_tensor("w", TensorProto.BFLOAT16, [1, 2], bits.tobytes(), raw=True)
    model = model_of([node("Cast", ["w"], ["y"], to=TensorProto.FLOAT)], {"x": X})
    model.graph.initializer.append(weight)
    np.testing.assert_array_equal(run_ours(model, {"x": X})["y"], np.array([[1, 2]], np.float32))


def test_typed_data_of_initialisers():
    model = model_of([node("Add", ["x", "w"], ["y"])], {"x": X[0, 0, :2]})
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [2], [1.5, -2.0]))
    assert_agree(model, {"x": X[0, 0, :2]})


def function(name: str, inputs, outputs, nodes, attributes=()) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("my", 1)]
    return helper.make_function("my", name, inputs, outputs, nodes, opsets, list(attributes))


def reference(name: str, to: str) -> onnx.AttributeProto:
    """An attribute that takes its value from one of the function's."""
    return onnx.AttributeProto(name=name, ref_attr_name=to, type=onnx.AttributeProto.FLOAT)


def test_local_functions():
    """Nested, with an attribute passed on, an absent optional input, and a constant in each call."""
    slope = node("LeakyRelu", ["v"], ["out"])
    slope.attribute.append(reference("alpha", "steepness"))
    inner = function("Inner", ["v"], ["out"], [slope], ["steepness"])
    call = node("Inner", ["u"], ["t"], domain="my")
    call.attribute.append(reference("steepness", "alpha"))
    clip = node("Clip", ["t", "low"], ["c"])
    constant = node("Constant", [], ["k"], value_floats=[1.0, 2.0, 3.0, 4.0])
    outer = function(
        "Outer", ["u", "low"], ["out"], [call, clip, constant, node("Add", ["c", "k"], ["out"])], ["alpha"]
    )
    nodes = [
        node("Outer", ["x", ""], ["h"], domain="my", alpha=0.5),
        node("Outer", ["h", "bound"], ["y"], domain="my", alpha=0.25),
    ]
    model = model_of(nodes, {"x": X}, weights={"bound": np.float32(0.5)}, domains={"my": 1}, functions=[inner, outer])
    assert_agree(model, {"x": X})


def test_an_input_that_a_functions_branch_does_not_get():
    x = {"x": np.array([-2, 0.5, 2], np.float32)}
    then = helper.make_graph(
        [helper.make_node("Clip", ["x", "low", "high"], ["inner"])], "then", [], [onnx.ValueInfoProto(name="inner")]
    )
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["yes"], ["y"], then_branch=then, else_branch=then),
    ]
    opsets = [helper.make_opsetid("", 21)]
    function = helper.make_function("mine", "Limit", ["x", "low", "high"], ["y"], nodes, opsets)
    high = {"high": np.float32(1)}
    for names, expected in ((["x"], x["x"]), (["x", "", "high"], [-2, 0.5, 1]), (["x", "high"], [1, 1, 2])):
        node = helper.make_node("Limit", names, ["y"], domain="mine")
        model = model_of([node], x, weights=high, domains={"mine": 1}, functions=[function])
        np.testing.assert_array_equal(run_ours(model, x)["y"], expected)


def test_functions_of_one_name_are_told_apart_by_their_overloads():
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("mine", 1)]
    six = [
        helper.make_node("Scale", ["x"], ["thrice"], domain="mine", overload="3"),
        helper.make_node("Add", ["thrice", "thrice"], ["y"]),
    ]
    three = [helper.make_node("Sum", ["x", "x", "x"], ["y"])]
    functions = [
        helper.make_function("mine", "Scale", ["x"], ["y"], nodes, opsets, overload=overload)
        for overload, nodes in (("6", six), ("3", three))
    ]
    x = {"x": np.float32([1, -2])}
    node = helper.make_node("Scale", ["x"], ["y"], domain="mine", overload="6")
    model = model_of([node], x, domains={"mine": 1}, functions=functions)  # which onnxruntime does not take
    np.testing.assert_array_equal(run_ours(model, x)["y"], [6, -12])


def test_a_function_that_calls_itself():
    from ttc.errors import Refused

    loop = function("Loop", ["u"], ["out"], [node("Loop", ["u"], ["out"], domain="my")])
    model = model_of([node("Loop", ["x"], ["y"], domain="my")], {"x": X}, domains={"my": 1}, functions=[loop])
    with pytest.raises(Refused, match="the function calls itself"):
        load(model)


def branch(name: str, nodes, output: str, weights=()) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [value], list(weights))


@pytest.mark.parametrize("rank", [3, 4])
def test_a_branch_that_is_known_is_taken(rank):
    """What exporters write for squeeze: if the size is 1, then without it, else as it is."""
    x = np.ones((2, 3, 1) if rank == 3 else (2, 3, 1, 4), np.float32)
    bias = numpy_helper.from_array(np.full((3, 1), 2.0, np.float32), "bias")
    then = branch("then", [node("Add", ["x", "bias"], ["t"])], "t", [bias])
    other = branch("else", [node("Relu", ["x"], ["e"])], "e")
    nodes = [
        node("Size", ["x"], ["size"]),
        node("Equal", ["size", "six"], ["flat"]),
        node("If", ["flat"], ["y"], then_branch=then, else_branch=other),
    ]
    model = model_of(nodes, {"x": x}, weights={"six": np.int64(6)})
    assert_agree(model, {"x": x})
    assert ("Add" in kinds(load(model))) == (rank == 3)


def test_contradictions_are_refused_not_crashed_on():
    from ttc.errors import Refused

    for bad in (
        node("Transpose", ["x"], ["y"], perm=[0, 0, 1]),
        node("Transpose", ["x"], ["y"], perm=[0]),
        node("DepthToSpace", ["x"], ["y"], blocksize=2),
        node("Concat", ["x"], ["y"], axis=9),
        node("MaxPool", ["x"], ["y"], kernel_shape=[0]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[0]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[1, 1]),
        node("EyeLike", ["x"], ["y"]),
        node("Conv", ["x", "x"], ["y"], group=0),
        node("Einsum", ["x"], ["y"], equation="ij->ji"),
        node("Reshape", ["x"], ["y"]),
        node("Transpose", ["x"], ["y"], perm=1),
        node("Split", ["x"], ["y"], num_outputs=2**40),
        node("If", ["x"], ["y"]),
        node("Cast", ["x"], ["y"], to=99),
    ):
        with pytest.raises(Refused):
            load(model_of([bad], {"x": X}))


def test_narrow_integers_wrap_where_an_op_overflows():
    """A sum of scattered numbers is computed in i64 and cast back; a product is not, and lowering names its dtype."""
    scatter = helper.make_node("ScatterElements", ["x", "i", "u"], ["s"], reduction="add")
    nodes = [scatter, helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT)]
    x, u = np.array([120, 2, 3], np.int8), np.array([100, 100], np.int8)
    inputs = {"x": x, "i": np.array([0, 1]), "u": u}
    (scattered,) = (node.op for node in load(model_of(nodes, inputs)).nodes if isinstance(node.op, ops.Scatter))
    assert scattered.x.dtype is scattered.updates.dtype is DType.i64
    assert_agree(model_of(nodes, inputs), inputs)
    product = model_of([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": x[None], "b": x[:, None]})
    (matmul,) = (node.op for node in load(product).nodes if isinstance(node.op, ops.Matmul))
    assert matmul.a.dtype is DType.i8
