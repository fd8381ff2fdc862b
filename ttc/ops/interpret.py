"""Evaluation of a graph of ops with torch, one op after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from ttc.errors import InputError
from ttc.guard.torch_settings import own_settings
from ttc.ir import Builder, Const, Graph, Input, Op, Value, Weights, operands_first
from ttc.ir.operands import gather_operands
from ttc.ir.state import state_name
from ttc.ops.constant import initial
from ttc.ops.torch_types import tensor_of

__all__ = ["evaluate", "evaluate_op", "evaluate_value", "has_data", "steps"]


def evaluate_op(op: Op, tensor_for: Callable[[Value], Tensor]) -> tuple[Tensor, ...]:
    """Return the results of one op, its operands looked up by `tensor_for`."""
    results = op.eval(**gather_operands(op, tensor_for))  # type: ignore[attr-defined]
    return results if isinstance(results, tuple) else (results,)


def steps(graph: Graph, inputs: Mapping[str, Tensor]) -> Iterator[tuple[Value, Tensor]]:
    """Evaluate `graph` and yield each value as it is computed; memory is freed after the last use.

    `inputs` are tensors by input name; states that are not given are the initial ones. InputError if an input is
    missing or a weight has no data.
    """
    remaining: Counter[Value] = graph.uses()
    tensors: dict[Value, Tensor] = {}
    for node in graph.nodes:
        match node.op:
            case Input(name=name) if name not in inputs and state_name(name) is not None:
                first = Builder(graph.weights)(initial(node.op, graph.weights))
                results: tuple[Tensor, ...] = (evaluate_value(first, graph.weights),)
            case Input(name=name):
                if name not in inputs:
                    raise InputError(f"input {name!r} is missing")
                results = (inputs[name],)
            case Const(ref=ref, type=type):
                results = (tensor_of(graph.weights.read(ref), type.dtype).reshape(type.shape),)
            case op:
                with torch.no_grad():
                    results = evaluate_op(op, tensors.__getitem__)
        for value, tensor in zip(node.results, results, strict=True):
            if remaining[value]:
                tensors[value] = tensor
            yield value, tensor
        for operand in node.op.operands():
            remaining[operand] -= 1
            if not remaining[operand]:
                tensors.pop(operand, None)


def evaluate(graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the outputs of `graph` by name."""
    wanted = {value for _, value in graph.outputs}
    with own_settings():
        found = {value: tensor for value, tensor in steps(graph, inputs) if value in wanted}
    return {name: found[value] for name, value in graph.outputs}


def evaluate_value(value: Value, weights: Weights) -> Tensor:
    """Evaluate one value that depends on weights and literals only; InputError for fake weights."""
    tensors: dict[Value, Tensor] = {}
    with own_settings():
        for each in operands_first([value]):
            if isinstance(each.op, Const):
                tensors[each] = tensor_of(weights.read(each.op.ref), each.dtype).reshape(each.shape)
            else:
                tensors[each] = evaluate_op(each.op, tensors.__getitem__)[each.index]
    return tensors[value]


def has_data(value: Value, weights: Weights) -> bool:
    """Return whether all weights that `value` depends on have data."""
    consts = (each.op.ref for each in operands_first([value]) if isinstance(each.op, Const))
    return all(ref in weights and weights[ref].read is not None for ref in consts)
