"""Reads graphs."""

from __future__ import annotations

import types as python_types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from ttc.ir.fields import fits
from ttc.ir.graph import Graph, Node, Op, Value
from ttc.ir.loop import Body
from ttc.ir.text.printer import positional
from ttc.ir.text.tokens import Tokens, number, string
from ttc.ir.text.type_parser import parse_type
from ttc.ir.types import Type
from ttc.ir.weights import Weights

DEEPEST = 8
"""Deepest nesting of loops: beyond any model, within the limit of Python's own stack."""


def parse_graph(text: str, weights: Weights | None = None) -> Graph:
    """Read a graph; TypeRuleError with the line for anything malformed. Types are not verified here."""
    tokens = Tokens(text)
    tokens.expect("graph")
    nodes, outputs = _parse_block(tokens)
    if tokens.kind != "end":
        raise tokens.error(f"expected the end, found {tokens.token!r}")
    return Graph(nodes, outputs, weights or Weights())


def _parse_block(tokens: Tokens) -> tuple[tuple[Node, ...], tuple[tuple[str, Value], ...]]:
    """Parse the nodes and outputs between braces."""
    tokens.expect("{")
    env: dict[str, Value] = {}
    nodes: list[Node] = []
    while tokens.token != "return":
        node = _parse_node(tokens, env)
        nodes.append(node)
        for value in node.results:
            if env.setdefault(value.name, value) is not value:
                raise tokens.error(f"%{value.name} is defined twice")
    tokens.advance()
    outputs: list[tuple[str, Value]] = []
    while tokens.token != "}":
        name = string(tokens)
        tokens.expect("=")
        outputs.append((name, _parse_value(tokens, env)))
        tokens.accept(",")
    tokens.expect("}")
    return tuple(nodes), tuple(outputs)


def _parse_body(tokens: Tokens) -> Body:
    tokens.depth += 1
    if tokens.depth > DEEPEST:
        raise tokens.error(f"loops stand more than {DEEPEST} deep in one another")
    body = Body(*_parse_block(tokens))
    tokens.depth -= 1
    return body


def _parse_node(tokens: Tokens, env: dict[str, Value]) -> Node:
    results: list[tuple[str, Type]] = []
    while tokens.kind == "value":
        name = tokens.advance()[1:]
        tokens.expect(":")
        results.append((name, parse_type(tokens)))
        tokens.accept(",")
    if results:
        tokens.expect("=")
    mnemonic = tokens.take("word")
    cls = Op.registry.get(mnemonic)
    if cls is None:
        raise tokens.error(f"no op is called {mnemonic!r}")
    given = {"type": results[0][1]} if results and "type" in _field_map(cls) else {}
    op = _parse_fields(tokens, cls, env, given)
    return Node(op, tuple(Value(op, t, name, i, tokens.comment) for i, (name, t) in enumerate(results)))


def _parse_fields(tokens: Tokens, cls: type, env: dict[str, Value], given: dict[str, Any]) -> Any:
    known = _field_map(cls)
    unnamed = [name for name, spec in known.items() if positional(cls, spec)]
    tokens.expect("(")
    while not tokens.accept(")"):
        name = unnamed[len(given)] if not tokens.at_keyword and len(given) < len(unnamed) else ""
        if not name:
            name = tokens.take("word")
            tokens.expect("=")
        if name not in known or name in given:
            raise tokens.error(f"{cls.__name__} takes no {'second ' if name in given else ''}{name!r}")
        given[name] = _parse_attribute(tokens, _classes(cls, name), env)
        if not fits(cls, name, given[name]):
            raise tokens.error(f"what {cls.__name__} takes as {name} is of another kind")
        tokens.accept(",")
    missing = [n for n, s in known.items() if n not in given and s.default is MISSING and s.default_factory is MISSING]
    if missing:
        raise tokens.error(f"{cls.__name__} lacks {', '.join(missing)}")
    return cls(**given)


def _parse_attribute(tokens: Tokens, classes: tuple[type, ...], env: dict[str, Value]) -> Any:
    if tokens.kind == "value":
        return _parse_value(tokens, env)
    if tokens.kind == "string":
        return string(tokens)
    if tokens.kind == "number":
        return number(tokens)
    if tokens.accept("["):
        items: list[Any] = []
        while not tokens.accept("]"):
            items.append(_parse_attribute(tokens, classes, env))
            tokens.accept(",")
        return tuple(items)
    if tokens.accept("<"):
        found = parse_type(tokens)
        tokens.expect(">")
        return found
    return _parse_word(tokens, classes, env)


def _parse_word(tokens: Tokens, classes: tuple[type, ...], env: dict[str, Value]) -> Any:
    word = tokens.take("word")
    if word in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[word]
    if word == "body" and tokens.token == "{":
        return _parse_body(tokens)
    for cls in classes:
        if tokens.token == "(" and cls.__name__ == word and is_dataclass(cls):
            return _parse_fields(tokens, cls, env, {})
        if issubclass(cls, Enum) and word in cls.__members__:
            return cls[word]
    raise tokens.error(f"{word!r} means nothing here")


def _parse_value(tokens: Tokens, env: dict[str, Value]) -> Value:
    name = tokens.take("value")[1:]
    if name not in env:
        raise tokens.error(f"%{name} is not defined")
    return env[name]


@cache
def _field_map(cls: type) -> dict[str, Field]:
    return {spec.name: spec for spec in fields(cls)}


@cache
def _classes(cls: type, name: str) -> tuple[type, ...]:
    """Return the enums and dataclasses that the annotation of a field mentions."""
    found: list[type] = []

    def walk(hint: Any) -> None:
        if isinstance(hint, type) and not isinstance(hint, python_types.GenericAlias):
            found.append(hint)
        for part in typing.get_args(hint):
            walk(part)

    walk(typing.get_type_hints(cls)[name])
    return tuple(found)
