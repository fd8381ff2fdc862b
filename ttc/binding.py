"""Binding a model's own weights to a program that was compiled without their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ttc import ops
from ttc.errors import InputError
from ttc.ir import Const, TensorType, Weight, Weights, parse_graph, verify
from ttc.ops.torch_types import array_of, tensor_of, to_torch
from ttc.pipeline import derived_weights
from ttc.runtime.artifact import Artifact
from ttc.runtime.program import weight_types


def bound_weights(artifact: Artifact, given: Mapping[str, Any]) -> Weights:
    """The program's weights, derived from `given` (arrays or tensors by the model's own names) as they are read.

    InputError for a missing weight or one of another shape. Literals of the program come from the artifact.
    """
    assert ops.__name__ == "ttc.ops"  # importing the vocabulary lets the text be read
    graph = verify(parse_graph(artifact.derivation))
    needed = {node.op.ref: node.op.type for node in graph.nodes if isinstance(node.op, Const)}
    stored = artifact.literals or artifact.weights
    bound = {ref: _weight(ref, type, given, stored) for ref, type in needed.items()}
    types = weight_types(artifact.program, *(bucket.program for bucket in artifact.buckets))
    return derived_weights(types, type(graph)(graph.nodes, graph.outputs, Weights(bound)))


def _weight(ref: str, type: TensorType, given: Mapping[str, Any], stored: Weights) -> Weight:
    if ref.startswith("literal.") and ref not in given and ref in stored:
        return stored[ref]
    if ref not in given:
        raise InputError(f"weight {ref!r} is missing: the program needs {type}")
    item = given[ref]
    array = array_of(item.to(to_torch(type.dtype))) if hasattr(item, "detach") else np.asarray(item)
    if tuple(array.shape) != type.shape:
        raise InputError(f"weight {ref!r} has shape {list(array.shape)}, the program needs {type}")
    if not hasattr(item, "detach"):
        array = array_of(tensor_of(array, type.dtype).to(to_torch(type.dtype)))
    return Weight(type, lambda: array)
