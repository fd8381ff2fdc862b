"""Operators that a `.pt2` file names: those that torch may look up, and what stands in for the others."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

import torch
from torch._export.serde.schema import (
    Argument,
    Device,
    Graph,
    Layout,
    NamedArgument,
    Node,
    ScalarType,
    SymInt,
    TensorArgument,
    TensorMeta,
)
from torch._export.serde.serialize import _SERIALIZE_TO_TORCH_DTYPE as DTYPES

from ttc.errors import Refusal
from ttc.frontend.export.stand_in_op import STAND_IN, as_numbers
from ttc.frontend.export.table import function_for, is_listed
from ttc.ir.names import free_name

OPERATOR = re.compile(r"torch\.ops\.(aten|ttc)\.([A-Za-z_]\w*)\.([A-Za-z_]\w*)", re.ASCII)

PYTHON = {
    *(f"_operator.{name}" for name in (
        "eq", "ne", "le", "ge", "lt", "gt", "neg", "pos", "mul", "add", "sub", "floordiv", "mod", "pow", "truediv",
        "and_", "or_",
    )),
    *(f"torch.sym_{name}" for name in ("not", "int", "float", "ite", "max", "min")),
    "math.trunc",
}  # fmt: skip
"""Python's own arithmetic on sizes."""

SIZES = {"_assert_scalar", "_assert_async", "_assert_tensor_metadata", "sym_size", "sym_stride", "sym_numel",
         "sym_storage_offset", "sym_constrain_range", "sym_constrain_range_for_size", "item", "_local_scalar_dense",
         "sym_is_contiguous"}  # fmt: skip
"""aten's ops on sizes, and its assertions: torch resolves the former and drops the latter."""


def why_unknown(target: str) -> str:
    """Return why torch is not asked to look up an operator; the empty text for operators that the front end knows."""
    if target in PYTHON:
        return ""
    if target.startswith("torch.ops.higher_order."):
        return f"{target[:80]} (control flow, or an op with a side effect) is not supported"
    named = OPERATOR.fullmatch(target)
    if named is None:
        return f"{target[:80]!r} is not an operator of PyTorch that ttc knows"
    library, name, overload = named.groups()
    packet = getattr(getattr(torch.ops, library), name, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket) or overload not in packet.overloads():
        return f"there is no operator {target[:80]!r} in the torch that is installed here"
    operator = getattr(packet, overload)
    if name in SIZES or _known(operator) or (name.endswith("_") and _known(_out_of_place(name, overload))):
        return ""
    try:
        function_for(operator)
    except Refusal as refusal:
        return str(refusal)
    return f"{operator} is not supported"


def _known(operator: Any) -> bool:
    return operator is not None and (is_listed(operator) or operator in _decomposed())


def _out_of_place(name: str, overload: str) -> Any:
    """Return the functional form of an op that changes its operand, by torch's naming."""
    packet = getattr(torch.ops.aten, name.rstrip("_"), None)
    return getattr(packet, overload, None) or getattr(packet, "default", None)


@cache
def _decomposed() -> Collection[Any]:
    """Return the operators that torch has decompositions of."""
    return set(torch.export.default_decompositions())


def stand_in(node: Node, operands: list[str], reason: str, graph: Graph) -> bool:
    """Turn a node into a `ttc.stand_in` of these tensors; return whether torch can tell the sizes of the results.

    Results must be tensors, and each size of theirs a number or a size of an operand.
    """
    values = [value for part in node.outputs for value in (part.value if part.type == "as_tensors" else [part.value])]
    results = [value for value in values if isinstance(value, TensorArgument)]
    if len(results) < len(values):
        return False
    results = results or [_of_nothing(graph)]
    metas = [graph.tensor_values[result.name] for result in results]
    known = [_size(size) for name in operands for size in graph.tensor_values[name].sizes]
    sizes = [_place(_size(size), known) for meta in metas for size in meta.sizes]
    if None in sizes:
        return False
    given = {
        "operands": Argument.create(as_tensors=[TensorArgument(name) for name in operands]),
        "text": Argument.create(as_ints=as_numbers(node.name or node.target[:80], reason)),
        "dtypes": Argument.create(as_strings=[_dtype(meta) for meta in metas]),
        "ranks": Argument.create(as_ints=[len(meta.sizes) for meta in metas]),
        "sizes": Argument.create(as_ints=sizes),
    }
    node.target, node.name, node.is_hop_single_tensor_return = f"torch.ops.{STAND_IN}".replace("::", "."), None, None
    node.inputs = [NamedArgument(name, argument) for name, argument in given.items()]
    node.outputs = [Argument.create(as_tensors=results)]
    return True


def _of_nothing(graph: Graph) -> TensorArgument:
    """Make a result for an operator that has none, as torch asks for one: a number that nothing reads."""
    name = free_name("stand_in", graph.tensor_values)
    zero = SymInt.create(as_int=0)
    graph.tensor_values[name] = TensorMeta(ScalarType.FLOAT, [], False, Device("cpu"), [], zero, Layout.Strided)
    return TensorArgument(name)


def _size(size: SymInt) -> int | str:
    return size.value if size.type == "as_int" else size.value.expr_str


def _place(size: int | str, known: list[int | str]) -> int | None:
    """Return a size that is a number; -1 - n for the n-th of these; None for any other."""
    if isinstance(size, int):
        return size
    return -1 - known.index(size) if size in known else None


def _dtype(meta: TensorMeta) -> str:
    return str(DTYPES[meta.dtype]).removeprefix("torch.")
