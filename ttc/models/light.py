"""CNN graphs that the onnx package carries, nine of them, with seeded weights in place of their constant ones.

As shipped every weight is one repeated number (a ConstantOfShape) and so is every output; a program that forgot half
of the network could match them. `seeded` draws each weight at the scale that its use needs.
"""

from __future__ import annotations

from collections import defaultdict
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

NAMES = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)


def path(name: str) -> Path:
    """Return the path where the onnx package keeps `light_<name>.onnx`."""
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"


def seeded(name: str) -> ModelProto:
    """Return `light_<name>` with random weights (He et al. 2015 for products), its output taken before Softmax."""
    model = onnx.load(path(name))
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers: dict[str, list[tuple[NodeProto, int]]] = defaultdict(list)
    for node in graph.node:
        for position, operand in enumerate(node.input):
            readers[operand].append((node, position))
    generator = np.random.default_rng(0)
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(size) for size in constants[node.input[0]])
        array = _numbers(node.output[0], shape, readers, generator)
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    drop_softmax(graph)
    _drop_unread(graph)
    return model


def _numbers(
    name: str,
    shape: tuple[int, ...],
    readers: dict[str, list[tuple[NodeProto, int]]],
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw the numbers of a weight, by the operand position where the weight is read."""
    node, position = readers[name][0]
    if node.op_type in ("Unsqueeze", "Reshape"):
        return _numbers(node.output[0], shape, readers, generator)
    match node.op_type, position:
        case "Conv", 1:
            fan_in = prod(shape[1:])
        case ("Gemm", 1) | ("MatMul", 1):
            fan_in = _fan_in_of_product(node, shape)
        case ("BatchNormalization", 1) | ("Mul", _):
            return generator.uniform(0.9, 1.1, shape).astype(np.float32)
        case "BatchNormalization", 4:
            return generator.uniform(0.8, 1.25, shape).astype(np.float32)
        case _:
            return generator.uniform(-0.02, 0.02, shape).astype(np.float32)
    return (generator.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)


def _fan_in_of_product(node: NodeProto, shape: tuple[int, ...]) -> int:
    """Return the K of a product's right operand; a weight read through a Reshape is [N, K, ...] as well."""
    transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return prod(shape[1:]) if transposed or len(shape) > 2 else shape[0]


def drop_softmax(graph: onnx.GraphProto) -> None:
    """Make the operand of a final Softmax the graph's output."""
    output = graph.output[0]
    for node in graph.node:
        if node.op_type == "Softmax" and node.output[0] == output.name:
            sizes = [d.dim_value for d in output.type.tensor_type.shape.dim]
            graph.node.remove(node)
            del graph.output[:]
            graph.output.append(helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, sizes))
            return


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove initialisers and inputs that no node reads any more (the shapes of the constants)."""
    read = {name for node in graph.node for name in node.input}
    for entries in (graph.initializer, graph.input):
        unread = [entry for entry in entries if entry.name not in read]
        for entry in unread:
            entries.remove(entry)
