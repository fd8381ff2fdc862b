"""Inputs in place of values that a front end refuses, so that one compilation shows later stages' refusals too."""

from __future__ import annotations

from collections.abc import Iterable

from ttc.ir import Builder, Graph, Input, Type, Value

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
