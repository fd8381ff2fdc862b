"""Refuse programs of which torch makes no functional form, or a wrong one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Node

from ttc.errors import Refused
from ttc.frontend.export.declared import gives_complex
from ttc.frontend.export.signature import Signature, user_inputs
from ttc.frontend.export.stand_in_op import place_of


def refuse_undecomposable(program: ExportedProgram, signature: Signature) -> None:
    """Refuse, with every reason, complex inputs and writes in place that torch's functional form does not keep.

    - Complex inputs: torch fails.
    - Writes to elements that share memory, as those of an expanded tensor do: torch changes the view that is written
      to, and not the tensor that the view is of.
    - Changes of an input's own shape or strides: numbers are written into the caller's tensor, which keeps both.
    """
    pairs = zip(user_inputs(program), signature.inputs, strict=False)
    names = {node: name for node, name in pairs if isinstance(name, str)}
    reasons = [
        (name, f"the input {name} is complex: pass torch.view_as_real of it instead")
        for node, name in names.items()
        if gives_complex(node)
    ]
    for node in program.graph.nodes:
        for written in _written(node):
            if why := _reason(node, written, names):
                reasons.append((place_of(node), why))
    if reasons:
        raise Refused(reasons)


def _reason(node: Node, written: Node, inputs: dict[Node, str]) -> str:
    """Return the reason why a node cannot write to an operand; "" if the node can."""
    value = written.meta.get("val")
    if not isinstance(value, Tensor) or not isinstance(node.target, OpOverload):
        return ""
    name = node.target.overloadpacket.__name__
    if torch.Tag.inplace_view in node.target.tags:
        first, result = _first(written), node.meta["val"]
        if first in inputs and (result.shape, result.stride()) != (value.shape, value.stride()):
            return f"{name} reshapes the input {inputs[first]} itself: call {name.rstrip('_')} instead"
        return ""
    strides = zip(value.shape, value.stride(), strict=True)  # a size that is not fixed is no int
    if any(isinstance(stride, int) and stride == 0 and size != 1 for size, stride in strides):
        return f"{name} writes to an expanded tensor, whose elements share memory: clone that tensor first"
    return ""


def _first(node: Node) -> Node:
    """Return the tensor that ops in place have worked on: each gives its own operand as its result."""
    while written := next(_written(node), None):
        node = written
    return node


def _written(node: Node) -> Iterator[Node]:
    """Yield the operands that an op writes to."""
    if not isinstance(node.target, OpOverload) or not node.target._schema.is_mutable:
        return
    for index, argument in enumerate(node.target._schema.arguments):
        operand = node.args[index] if index < len(node.args) else node.kwargs.get(argument.name)
        if argument.alias_info and argument.alias_info.is_write and isinstance(operand, Node):
            yield operand
