"""Models whose names are defined twice, which onnxruntime refuses too, and near misses, which are as ONNX has them."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import FunctionProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from tests.frontend.onnx_models import assert_agree
from ttc.errors import InputError, Refused
from ttc.frontend.onnx import load

node = helper.make_node
X = np.random.default_rng(1).standard_normal((2, 3), dtype=np.float32)
C = np.array(True)


def tensor(name: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 3))


def graph(nodes: list[NodeProto], inputs=("x",), outputs=("y",), weights=()) -> GraphProto:
    given = [numpy_helper.from_array(np.ones((2, 3), np.float32), name) for name in weights]
    return helper.make_graph(nodes, "g", [*map(tensor, inputs)], [ValueInfoProto(name=name) for name in outputs], given)


def function(*nodes: NodeProto) -> FunctionProto:
    return helper.make_function("own", "F", ["a"], ["b"], list(nodes), [helper.make_opsetid("", 17)])


def model(of: GraphProto, functions=()) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(of, opset_imports=opsets, functions=functions, ir_version=10)


def branching(*taken: NodeProto) -> GraphProto:
    branches: dict[str, Any] = {
        "then_branch": graph(list(taken), [], ["t"]),
        "else_branch": graph([node("Neg", ["x"], ["t"])], [], ["t"]),
    }
    made = graph([node("If", ["c"], ["y"], **branches)], ["x"])
    made.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, ()))
    return made


RELU, CALL = node("Relu", ["x"], ["y"]), node("F", ["x"], ["y"], domain="own")
TWICE = {
    "two nodes": (graph([node("Relu", ["x"], ["a"]), node("Abs", ["x"], ["a"]), node("Neg", ["a"], ["y"])]), (), "a"),
    "two results of a node": (graph([node("Split", ["x"], ["y", "y"], axis=0)]), (), "y"),
    "a node and an input": (graph([node("Neg", ["x"], ["x"]), RELU]), (), "x"),
    "a node and a weight": (graph([node("Neg", ["x"], ["w"]), RELU], weights=["w"]), (), "w"),
    "two inputs": (graph([RELU], ["x", "x"]), (), "x"),
    "in a branch": (branching(node("Neg", ["x"], ["t"]), node("Abs", ["x"], ["t"])), (), "t"),
    "in a function": (graph([CALL]), [function(node("Neg", ["a"], ["b"]), node("Abs", ["a"], ["b"]))], "b"),
}


@pytest.mark.parametrize("case", TWICE)
def test_a_name_that_is_defined_twice_is_refused_by_name(case):
    made, functions, name = TWICE[case]
    with pytest.raises(InputError, match=f"the model defines '{name}' twice: the names of a graph's inputs"):
        load(model(made, functions))
    with pytest.raises(Exception, match=r"Duplicate definition|SSA|does not match|invalid"):
        onnxruntime.InferenceSession(model(made, functions).SerializeToString())


def test_two_functions_and_two_outputs_of_a_name_are_refused():
    two = [function(node("Neg", ["a"], ["b"])), function(node("Abs", ["a"], ["b"]))]
    with pytest.raises(InputError, match=r"the model has two functions called 'own\.F'"):
        load(model(graph([CALL]), two))
    with pytest.raises(InputError, match="the model has two outputs called 'y'"):
        load(model(graph([RELU], outputs=["y", "y"])))


def test_a_function_takes_no_more_than_its_inputs():
    with pytest.raises(Refused, match="y: F: takes at most 1 inputs, got 2"):
        load(model(graph([node("F", ["x", "x"], ["y"], domain="own")]), [function(node("Neg", ["a"], ["b"]))]))


@pytest.mark.parametrize(
    ("made", "functions", "feeds"),
    [
        (graph([node("Add", ["x", "w"], ["y"])], ["x", "w"], weights=["w"]), (), {"x": X}),
        (graph([node("Dropout", ["x"], ["a", ""]), node("Dropout", ["a"], ["y", ""])]), (), {"x": X}),
        (branching(node("Abs", ["x"], ["t"])), (), {"x": X, "c": C}),
        (
            graph([node("Relu", ["x"], ["b"]), node("F", ["b"], ["y"], domain="own")]),
            [function(node("Neg", ["a"], ["b"]))],
            {"x": X},
        ),
    ],
    ids=[
        "a weight is an input's default",
        "results left out",
        "a name in both branches",
        "a name in graph and function",
    ],
)
def test_names_that_may_be_the_same(made, functions, feeds):
    assert_agree(model(made, functions), feeds, values={"c": C} if "c" in feeds else None)
