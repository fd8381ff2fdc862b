"""The text form: prints a graph and reads it back exactly.

    graph {
      %x: f32[1,32] = input(name="x")
      %w: f32[64,32] = const(ref="fc.weight")
      %fc: f32[1,64] = linear(x=%x, w=%w)
      return "output"=%fc
    }

Fields with their default value are left out. A call's operands are positional: `ttnn.relu(%x)`. The body of a loop
stands in its line as `body {`, indented, with names of its own. A comment behind a node is its location in the model.
"""

from __future__ import annotations

import json
import re
import types as python_types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from ttc.errors import TypeRuleError, printable
from ttc.ir.fields import fits
from ttc.ir.graph import Graph, Node, Op, Value
from ttc.ir.loop import Body
from ttc.ir.types import Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec, TensorType, Type
from ttc.ir.weights import Weights

# ---------------------------------------------------------------- printing


def print_graph(graph: Graph, locations: bool = False) -> str:
    """Print the whole program, a line for each node, with its location in the model if `locations` are asked for."""
    head = "body {" if isinstance(graph, Body) else "graph {"
    lines = [head, *("  " + print_node(node, locations).replace("\n", "\n  ") for node in graph.nodes)]
    outputs = ", ".join(f"{json.dumps(name)}=%{value.name}" for name, value in graph.outputs)
    return "\n".join([*lines, f"  return {outputs}".rstrip(), "}"]) + "\n"


def print_node(node: Node, locations: bool = False) -> str:
    """Print one line of a program (several for a loop with its body)."""
    call = f"{node.op.mnemonic}({_print_fields(node.op, locations)})"
    if not node.results:
        return call
    line = f"{', '.join(f'%{v.name}: {v.type}' for v in node.results)} = {call}"
    location = " ".join(printable(node.results[0].location).split()) if locations else ""
    return f"{line}  # {location}" if location else line


def _print_fields(item: Any, locations: bool = False) -> str:
    parts = []
    for spec in sorted(fields(item), key=lambda spec: bool(spec.kw_only)):
        value = getattr(item, spec.name)
        if (isinstance(item, Op) and spec.name == "type") or _is_default(item, spec, value):
            continue
        text = _print_attribute(value, locations)
        parts.append(text if _positional(item, spec) else f"{spec.name}={text}")
    return ", ".join(parts)


def _positional(item: Any, spec: Field) -> bool:
    return getattr(item, "positional", False) and not spec.kw_only


def _is_default(item: Any, spec: Field, value: Any) -> bool:
    """Return whether `item` without this field would have the same value in it."""
    if spec.default is MISSING or type(spec.default) is not type(value):
        return False
    filled = hasattr(item, "__post_init__")  # its class may put in something else for what is left out
    default = getattr(replace(item, **{spec.name: spec.default}), spec.name) if filled else spec.default
    return repr(default) == repr(value)


def _print_attribute(value: Any, locations: bool = False) -> str:
    match value:
        case Value():
            return f"%{value.name}"
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value)
        case int() | float():
            return repr(value)
        case tuple():
            return f"[{', '.join(map(_print_attribute, value))}]"
        case Enum():
            return value.name
        case TensorType():
            return f"<{value}>"
        case Body():
            return print_graph(value, locations).rstrip()
        case _ if is_dataclass(value):
            return f"{type(value).__name__}({_print_fields(value)})"
    raise TypeError(f"{value!r} has no text form")


# ---------------------------------------------------------------- parsing

_TOKEN = re.compile(
    r"""\s*(?:(?P<value>%[A-Za-z0-9_.]+)|(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<number>-?(?:inf\b|nan\b|\d+\.?\d*(?:e[+-]?\d+)?))|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<mark>[(){}\[\],:=<>])|(?P<comment>\#[^\n]*))""",
    re.VERBOSE,
)
_END = re.compile(r"\s*\Z")
_EQUALS = re.compile(r"\s*=")

MOST_SIZES = 64
"""Most dimensions of a tensor, as in numpy."""

DEEPEST = 8
"""Deepest nesting of loops: beyond any model, within the limit of Python's own stack."""


class _Tokens:
    """A line-aware token stream with one token of look-ahead."""

    def __init__(self, text: str):
        self.text, self.position = text, 0
        self.kind, self.token = "", ""
        self.depth = 0  # of loops around the token
        self.comment = ""  # what stands in the line of the token before, behind it
        self.advance()

    def advance(self) -> str:
        """Take the token, and read the next one."""
        taken, self.comment = self.token, ""
        self._read()
        while self.kind == "comment":
            self._read()
        return taken

    def _read(self) -> None:
        if _END.match(self.text, self.position):
            self.kind, self.token = "end", ""
            return
        found = _TOKEN.match(self.text, self.position)
        if not found:
            raise self.error(f"cannot read {self.text[self.position :].strip()[:20]!r}")
        self.kind, self.token, self.position = str(found.lastgroup), found[found.lastgroup or 0], found.end()
        if self.kind == "comment" and "\n" not in found[0]:
            self.comment = self.token[1:].strip()

    def expect(self, token: str) -> None:
        if self.token != token:
            raise self.error(f"expected {token!r}, found {self.token!r}")
        self.advance()

    @property
    def at_keyword(self) -> bool:
        """Return whether the token is a word with `=` after it."""
        return self.kind == "word" and bool(_EQUALS.match(self.text, self.position))

    def take(self, kind: str) -> str:
        if self.kind != kind:
            raise self.error(f"expected a {kind}, found {self.token!r}")
        return self.advance()

    def accept(self, token: str) -> bool:
        if self.token != token:
            return False
        self.advance()
        return True

    def error(self, message: str) -> TypeRuleError:
        line = self.text.count("\n", 0, self.position) + 1
        return TypeRuleError(f"program text, line {line}: {message}")


def parse_graph(text: str, weights: Weights | None = None) -> Graph:
    """Read a graph; TypeRuleError with the line for anything malformed. Types are not verified here."""
    tokens = _Tokens(text)
    tokens.expect("graph")
    nodes, outputs = _parse_block(tokens)
    if tokens.kind != "end":
        raise tokens.error(f"expected the end, found {tokens.token!r}")
    return Graph(nodes, outputs, weights or Weights())


def _parse_block(tokens: _Tokens) -> tuple[tuple[Node, ...], tuple[tuple[str, Value], ...]]:
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
        name = _string(tokens)
        tokens.expect("=")
        outputs.append((name, _parse_value(tokens, env)))
        tokens.accept(",")
    tokens.expect("}")
    return tuple(nodes), tuple(outputs)


def _parse_body(tokens: _Tokens) -> Body:
    tokens.depth += 1
    if tokens.depth > DEEPEST:
        raise tokens.error(f"loops stand more than {DEEPEST} deep in one another")
    body = Body(*_parse_block(tokens))
    tokens.depth -= 1
    return body


def _parse_node(tokens: _Tokens, env: dict[str, Value]) -> Node:
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


def parse_type(tokens: _Tokens) -> Type:
    """Parse a type at the head of the tokens."""
    dtype = _member(tokens, DType, tokens.take("word"))
    shape = _parse_shape(tokens)
    if tokens.token not in {layout.value for layout in Layout}:
        return TensorType(dtype, shape)
    layout = Layout(tokens.advance())
    memory = _parse_memory(tokens)
    return Spec(dtype, shape, layout, memory, _parse_shape(tokens) if tokens.accept("padded") else ())


def _parse_shape(tokens: _Tokens) -> tuple[int, ...]:
    tokens.expect("[")
    shape: list[int] = []
    while not tokens.accept("]"):
        shape.append(_integer(tokens))
        if shape[-1] < 0:
            raise tokens.error(f"a size is {shape[-1]}")
        tokens.accept(",")
    if len(shape) > MOST_SIZES:
        raise tokens.error(f"a shape has {len(shape)} sizes")
    return tuple(shape)


def _parse_memory(tokens: _Tokens) -> MemoryConfig:
    buffer = _by_value(tokens, Buffer, tokens.take("word"))
    if tokens.token not in {sharding.value for sharding in Sharding}:
        return MemoryConfig(buffer)
    sharding = Sharding(tokens.advance())
    if tokens.kind != "number":
        return MemoryConfig(buffer, sharding)
    columns, rows = _pair(tokens)
    tokens.expect("of")
    height, width = _pair(tokens)
    return MemoryConfig(buffer, sharding, ShardSpec((columns, rows), (height, width), tokens.accept("column_major")))


def _pair(tokens: _Tokens) -> tuple[int, int]:
    """Parse `8x7`, which the scanner reads as a number and a word."""
    first, word = _integer(tokens), tokens.take("word")
    if not re.fullmatch(r"x\d+", word):
        raise tokens.error(f"expected two sizes such as 8x7, found {word!r}")
    return first, int(word[1:])


def _parse_fields(tokens: _Tokens, cls: type, env: dict[str, Value], given: dict[str, Any]) -> Any:
    known = _field_map(cls)
    positional = [name for name, spec in known.items() if _positional(cls, spec)]
    tokens.expect("(")
    while not tokens.accept(")"):
        name = positional[len(given)] if not tokens.at_keyword and len(given) < len(positional) else ""
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


def _parse_attribute(tokens: _Tokens, classes: tuple[type, ...], env: dict[str, Value]) -> Any:
    if tokens.kind == "value":
        return _parse_value(tokens, env)
    if tokens.kind == "string":
        return _string(tokens)
    if tokens.kind == "number":
        return _number(tokens)
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


def _parse_word(tokens: _Tokens, classes: tuple[type, ...], env: dict[str, Value]) -> Any:
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


def _parse_value(tokens: _Tokens, env: dict[str, Value]) -> Value:
    name = tokens.take("value")[1:]
    if name not in env:
        raise tokens.error(f"%{name} is not defined")
    return env[name]


def _string(tokens: _Tokens) -> str:
    token = tokens.take("string")
    try:
        return json.loads(token)
    except json.JSONDecodeError:
        raise tokens.error(f"{token} is no proper string") from None


def _number(tokens: _Tokens) -> int | float:
    return _integer(tokens) if re.fullmatch(r"-?\d+", tokens.token) else float(tokens.take("number"))


def _integer(tokens: _Tokens) -> int:
    token = tokens.take("number")
    if not re.fullmatch(r"-?\d{1,20}", token):
        raise tokens.error(f"expected an integer, found {token[:30]}")
    return int(token)


def _member(tokens: _Tokens, enum: type[Enum], word: str) -> Any:
    if word not in enum.__members__:
        raise tokens.error(f"no {enum.__name__} is called {word!r}")
    return enum[word]


def _by_value(tokens: _Tokens, enum: type[Enum], word: str) -> Any:
    for member in enum:
        if member.value == word:
            return member
    raise tokens.error(f"no {enum.__name__} is called {word!r}")


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
