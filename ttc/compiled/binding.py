"""Binding a model's own weights to a program that was compiled without their data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from ttc import ops
from ttc.compiled.executable import Executable
from ttc.errors import InputError
from ttc.guard.budget import TABLE, within
from ttc.ir import Const, DType, Graph, TensorType, Weight, Weights, parse_graph, verify
from ttc.ir.weights import NAMED
from ttc.ops.constant import names_literal
from ttc.ops.derived import derived_weights
from ttc.ops.torch_types import array_of, tensor_of, to_torch
from ttc.runtime.run.convert import numbers_of
from ttc.runtime.run.program import weight_types

LARGER = 16
"""The size of all values in between, at most, as a multiple of all weights together."""


def bind_weights(executable: Executable, given: Mapping[str, Any]) -> Executable:
    """Bind a model's own weights, `given` by its names (arrays or tensors); the programs' are derived as they are read.

    InputError for a missing weight or one of another shape. Literals come from the executable itself.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"weights are given by name, in a dict; got {type(given).__name__}")
    assert ops.__name__ == "ttc.ops"  # importing the vocabulary lets the text be read
    graph = verify(parse_graph(str(executable.derivation)))
    needed = {node.op.ref: node.op.type for node in graph.nodes if isinstance(node.op, Const)}
    types = weight_types(*(bucket.program for bucket in executable.buckets))
    _check_sizes(graph, types)
    stored = executable.literals or executable.weights
    bound = {ref: _weight(ref, type, given, stored) for ref, type in needed.items()}
    weights = derived_weights(types, replace(graph, weights=Weights(bound)))
    return replace(executable, weights=weights)


def _check_sizes(graph: Graph, types: Mapping[str, TensorType]) -> None:
    """Raise Refusal if a value on the way is out of proportion to the weights before and after it."""
    known = sum(node.op.type.numel for node in graph.nodes if isinstance(node.op, Const))
    allowed = TABLE + LARGER * (known + sum(type.numel for type in types.values()))
    for value in graph.values():
        within(value.type.numel, allowed, f"elements of the derived weight %{value.name}")


def _weight(ref: str, type: TensorType, given: Mapping[str, Any], stored: Weights) -> Weight:
    if names_literal(ref) and ref not in given and ref in stored:
        return stored[ref]
    if ref not in given:
        raise InputError(f"weight {ref!r} is missing: the program needs {type}")
    tensor = _own(ref, given[ref], type)
    if tuple(tensor.shape) != type.shape:
        raise InputError(f"weight {ref!r} has shape {list(tensor.shape)}, the program needs {type}")
    return Weight(type, lambda: array_of(tensor))


def _own(ref: str, item: Any, type: TensorType) -> Tensor:
    """Copy a weight as it is now, in the program's dtype; bf16 may come as its bits (uint16)."""
    dtype = to_torch(type.dtype)
    if isinstance(item, Tensor):
        if item.is_meta or isinstance(item, FakeTensor) or item.layout is not torch.strided:
            raise InputError(f"weight {ref!r} has no data of its own: it is a meta, fake or sparse tensor")
        return item.detach().to("cpu", dtype, copy=True)
    array = numbers_of(ref, item)
    if array.dtype.name in NAMED:
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        raise InputError(f"weight {ref!r} is {array.dtype}, the program needs {type}")
    if type.dtype is DType.bf16 and array.dtype == np.uint16:
        return tensor_of(array, type.dtype).clone()
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="))).to(dtype)
