"""Damage to a program that leaves its text readable: fields of ops and types of inputs, the rest inferred anew."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import Enum
from random import Random
from typing import Any

from tests.fuzz.mutate import FLOATS, INTEGERS, WORDS
from ttc.ir import Builder, Const, DType, Graph, Input, Node, Op, Value, parse_graph

SIZES = (0, 1, 1, 2, 3, 5, 31, 32, 33, 64, 100)


def mutated_program(text: str, random: Random) -> str:
    """The text with one op changed, and the types after it as they follow; if none do, those that it had."""
    graph = parse_graph(text)
    at = random.randrange(len(graph.nodes))
    values = [value for node in graph.nodes[:at] for value in node.results]
    node = graph.nodes[at]
    op = _changed(node.op, values, random)
    try:
        return str(_rebuilt(graph, at, op))
    except Exception:  # whatever a type rule raises here is what reading the text is to find out
        changed = replace(graph, nodes=(*graph.nodes[:at], Node(op, node.results), *graph.nodes[at + 1 :]))
        return str(changed)


def _rebuilt(graph: Graph, at: int, changed: Op) -> Graph:
    """The graph with another op at one place, all types inferred anew."""
    builder = Builder(graph.weights)
    new: dict[Value, Value] = {}
    for position, node in enumerate(graph.nodes):
        op = changed if position == at else node.op
        results = builder.add(op.with_operands(new.__getitem__), tuple(value.name for value in node.results))
        new.update(zip(node.results, results, strict=True))
    return builder.finish((name, new[value]) for name, value in graph.outputs)


def _changed(op: Op, values: list[Value], random: Random) -> Op:
    if isinstance(op, (Input, Const)):
        return replace(op, type=_changed_type(op.type, random))
    field = random.choice(fields(op))  # type: ignore[arg-type]
    return replace(op, **{field.name: _like(getattr(op, field.name), values, random)})  # type: ignore[type-var]


def _changed_type(type: Any, random: Random) -> Any:
    if random.random() < 0.3:
        return replace(type, dtype=random.choice(list(DType)))
    shape = list(type.shape)
    match random.randrange(4):
        case 0:
            shape.insert(random.randrange(len(shape) + 1), random.choice(SIZES))
        case 1 if shape:
            del shape[random.randrange(len(shape))]
        case _ if shape:
            shape[random.randrange(len(shape))] = random.choice((*SIZES, *map(abs, INTEGERS)))
    return replace(type, shape=tuple(shape))


def _like(item: Any, values: list[Value], random: Random) -> Any:
    """Another value of the same kind, mostly."""
    match item:
        case Value() if values:
            return random.choice(values)
        case bool():
            return not item
        case int():
            return random.choice((item + 1, item - 1, *INTEGERS))
        case float():
            return random.choice(FLOATS)
        case str():
            return random.choice(WORDS)
        case Enum():
            return random.choice(list(type(item)))
        case tuple() if item:
            return _like_tuple(item, values, random)
        case None:
            return random.choice((*values, 1, 1.0, (), "x"))
    return random.choice((None, 0, -1, 1.5, (), (0,)))


def _like_tuple(items: tuple[Any, ...], values: list[Value], random: Random) -> tuple[Any, ...]:
    at = random.randrange(len(items))
    match random.randrange(4):
        case 0:
            return (*items[:at], *items[at + 1 :])
        case 1:
            return (*items, items[at])
        case _:
            return (*items[:at], _like(items[at], values, random), *items[at + 1 :])
