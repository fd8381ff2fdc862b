"""Activations in a block format: what products, convolutions, sums and pools hand to each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ttc.calls.binary import Add
from ttc.calls.call import spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.fidelity import with_fidelity
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.pool import AvgPool2d, MaxPool2d
from ttc.calls.slicing import WHOLE
from ttc.calls.target import Target
from ttc.calls.unary import UnaryCall
from ttc.ir import Builder, DType, Graph, Layout, Node, Op, Value, rebuilt


def narrow_activations(graph: Graph, target: Target, dtype: DType) -> Graph:
    """Store bf16 activations in a block format wherever all calls that read them take that format.

        %a: bf16[1,1,3136,64] = ttnn.conv2d(%x, ..)     %a: bfp8[1,1,3136,64] = ttnn.conv2d(%x, .., dtype=bfp8)
        %y: bf16[1,1,3136,64] = ttnn.add(%a, %b)     -> %y: bf16[1,1,3136,64] = ttnn.add(%a, %b, dtype=bf16)

    Results of products, convolutions, sums of two tensors, max pools, and elementwise functions of such. What any other
    call reads but an average of images, and what leaves the program, stays as it is.
    """
    narrow = _narrow(graph)
    builder = Builder(graph.weights)

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...]:
        op: Any = node.op.with_operands(new.__getitem__)
        if isinstance(op, STATING):
            op = _stated(op, node, dtype if node.results[0] in narrow else None)
            op = _prepared(op, builder) if isinstance(op, Conv2d) else op
            chosen = with_fidelity(node.op, target) == node.op  # type: ignore[type-var]  # by storage, not by the user
            op = with_fidelity(op, target) if chosen else op
        return builder.again(node, op)

    return rebuilt(graph, builder, new_results)


STATING = (Linear, Matmul, Conv2d, Add, MaxPool2d)
"""Calls that state the dtype of their result."""


def _narrow(graph: Graph) -> set[Value]:
    """Return the values that may be in a block format: made by calls that write it, read by calls that read it."""
    readers = graph.readers()
    found: set[Value] = set()
    leaving = {value for _, value in graph.outputs}
    for node in reversed(graph.nodes):
        if _is_able(node.op) and _read_narrow(node.results[0], readers, found) and node.results[0] not in leaving:
            found.add(node.results[0])
    return found


def _is_able(op: Op) -> bool:
    """Return whether a call reads and writes block formats, its own result being bf16 in tiles."""
    match op:
        case Linear() | Matmul():
            able = True
        case Conv2d():
            able = op.whole and not op.conv_config.folded
        case MaxPool2d():
            able = op.dram_slice_config == WHOLE
        case Add():
            able = len(op.tensors) == 2 and op.output_tensor is None
        case UnaryCall():
            able = True
        case _:
            able = False
    result: Any = op.infer() if able else None
    return able and result.layout is Layout.TILE and result.dtype is DType.bf16


def _read_narrow(value: Value, readers: Mapping[Value, list[Node]], found: Collection[Value]) -> bool:
    """Return whether all calls that read a value take it in a block format; `found` are results that are in one."""
    return all(_takes(node, value, found) for node in readers[value])


def _takes(reader: Node, value: Value, found: Collection[Value]) -> bool:
    match reader.op:
        case Linear(input_tensor_a=x) | Matmul(input_tensor_a=x):
            return x is value and list(reader.op.operands()).count(value) == 1
        case AvgPool2d():  # whose few means stay bf16
            return True
        case UnaryCall():  # whose result is as the operand
            return reader.results[0] in found
    return _is_able(reader.op)


def _stated(op: Any, node: Node, dtype: DType | None) -> Any:
    """Return a call that states the dtype of its result: `dtype`, or where that is None the one it had."""
    own = spec_of(node.results[0]).dtype
    if dtype is None and replace(op, dtype=node.op.dtype).infer().dtype is own:  # type: ignore[attr-defined]
        return op
    return replace(op, dtype=dtype or own)


def _prepared(op: Conv2d, builder: Builder) -> Conv2d:
    """Return a convolution with weights that are prepared for the dtype of its operand."""
    given = spec_of(op.input_tensor).dtype

    def prepared(value: Value) -> Value:
        preparation: Any = value.op
        return builder(replace(preparation, input_dtype=given), value.name)

    bias = op.bias_tensor
    return replace(op, weight_tensor=prepared(op.weight_tensor), bias_tensor=bias and prepared(bias))
