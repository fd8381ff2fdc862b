"""Types that ONNX infers for values behind operators that ttc does not read."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.frontend.onnx_models import model_of
from ttc.frontend.onnx.inferred import inferred_types
from ttc.ir import DType, TensorType

X = np.zeros((2, 3), np.float32)
GIVEN = {"x": TensorType(DType.f32, (2, 3))}
node = helper.make_node


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("Transpose", ["x"], ["y"])], TensorType(DType.f32, (3, 2))),
        ([node("Shape", ["x"], ["y"])], TensorType(DType.i64, (2,))),
        ([node("ReduceSum", ["x"], ["y"], keepdims=0)], TensorType(DType.f32, ())),
        ([node("NonZero", ["x"], ["y"])], None),  # [2, as many as there are]
        ([node("Cast", ["x"], ["y"], to=TensorProto.STRING)], None),  # no numbers
        ([node("Unheard", ["x"], ["y"], domain="of.ours")], None),
        ([node("Unheard", ["x"], ["h"], domain="of.ours"), node("Relu", ["h"], ["y"])], None),
        ([node("Transpose", ["x"], ["y"], perm=[0, 0])], None),  # what ONNX reports in errors of its own
    ],
)
def test_types_are_those_that_are_known_whole(nodes: list[onnx.NodeProto], wanted: TensorType | None):
    assert inferred_types(model_of(nodes, {"x": X}), GIVEN).get("y") == wanted


def test_a_small_initializer_may_be_a_shape_and_of_a_large_one_the_type_is_known():
    nodes = [node("Reshape", ["x", "s"], ["y"]), node("Add", ["y", "w"], ["z"])]
    weights = {"s": np.array([3, 2]), "w": np.zeros((1025, 3, 2), np.float32)}
    found = inferred_types(model_of(nodes, {"x": X}, outputs=("y", "z"), weights=weights), GIVEN)
    assert found["y"] == TensorType(DType.f32, (3, 2))
    assert found["z"] == TensorType(DType.f32, (1025, 3, 2))
