"""Inputs in place of values that a stage refuses, so that one compilation shows later stages' refusals too."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ttc.ir.builder import Builder
from ttc.ir.graph import Const, Graph, Input, Value
from ttc.ir.types import Type

PREFIX = "refused."
"""The beginning of such inputs' names."""


def stand_in(builder: Builder, type: Type, name: str) -> Value:
    """Add an input in place of a value that could not be read."""
    return builder(Input(type, PREFIX + name), name)


def stand_ins(graph: Graph) -> frozenset[str]:
    """Return the names of the values that stand for those that could not be read."""
    inputs = ((value, value.op) for value in graph.inputs)
    return frozenset(value.name for value, op in inputs if isinstance(op, Input) and op.name.startswith(PREFIX))


def enumerated(values: Iterable[Value]) -> list[tuple[str, Value]]:
    """Return values as outputs without names of their own."""
    return [(str(number), value) for number, value in enumerate(dict.fromkeys(values))]


def without(graph: Graph, refused: Collection[Value]) -> Graph:
    """Return a graph of all nodes that neither give nor read refused values, and of inputs in place of what these gave.

    A refused value itself has no place in the graph, and nothing that depends on refused constants alone.
    """
    builder = Builder(graph.weights)
    new: dict[Value, Value] = {}
    constants: set[Value] = set()
    read: list[Value] = []
    for node in graph.nodes:
        operands = node.op.operands()
        if not isinstance(node.op, Input) and (isinstance(node.op, Const) or constants.issuperset(operands)):
            constants.update(node.results)
        whole = new.keys() >= set(operands)
        builder.at(node.results)
        if whole and not any(value in refused for value in node.results):
            results = builder.again(node, node.op.with_operands(new.__getitem__))
            new.update(zip(node.results, results, strict=True))
            continue
        read += [new[operand] for operand in operands if operand in new]
        for value in node.results:
            if value not in refused and value not in constants:
                new[value] = stand_in(builder, value.type, value.name)
    return builder.finish(enumerated([*read, *(new[value] for _, value in graph.outputs if value in new)]))
