"""Types that ONNX's own rules give the values of a graph, for operators that ttc does not read."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from ttc.errors import Refusal
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import TensorType

SMALL = 1024
"""The largest number of elements of an initialiser that may be a shape; of others the type alone is kept."""


def inferred_types(model: ModelProto, inputs: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """Infer types by name where ONNX infers them whole, from `inputs` of these shapes; none where ONNX cannot."""
    try:
        found = onnx.shape_inference.infer_shapes(_skeleton(model, inputs)).graph
    except Exception:  # it reports what is wrong with a model in errors of its own, and this is no place for them
        return {}
    types = {value.name: _type(value) for value in (*found.value_info, *found.output)}
    return {name: type for name, type in types.items() if type is not None}


def _skeleton(model: ModelProto, inputs: Mapping[str, TensorType]) -> ModelProto:
    """Copy the model's nodes without functions and the numbers of large weights, its sizes bound."""
    skeleton = ModelProto(ir_version=max(model.ir_version, 4))
    skeleton.opset_import.extend(model.opset_import)
    graph = skeleton.graph
    graph.name = "skeleton"
    graph.node.extend(model.graph.node)
    for value in model.graph.input:
        if value.name in inputs:
            graph.input.append(_with_shape(value.name, value.type.tensor_type.elem_type, inputs[value.name].shape))
    for tensor in model.graph.initializer:
        if _is_small(tensor):
            graph.initializer.append(tensor)
        else:
            graph.input.append(_with_shape(tensor.name, tensor.data_type, tuple(tensor.dims)))
    for output in model.graph.output:
        graph.output.append(ValueInfoProto(name=output.name))
    return skeleton


def _is_small(tensor: TensorProto) -> bool:
    sizes = 1
    for size in tensor.dims:
        sizes *= size
    return sizes <= SMALL and tensor.data_location != TensorProto.EXTERNAL


def _with_shape(name: str, element_type: int, shape: tuple[int, ...]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element_type, shape)


def _type(value: ValueInfoProto) -> TensorType | None:
    """Return the static type of a value, if all of that is known."""
    tensor = value.type.tensor_type
    sizes = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
    if not tensor.HasField("shape") or any(size < 0 for size in sizes):
        return None
    try:
        return TensorType(dtype_of(tensor.elem_type), sizes)
    except Refusal:
        return None
