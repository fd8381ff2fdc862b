"""Prints graphs and nodes."""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from typing import Any

from ttc.errors import printable
from ttc.ir.graph import Graph, Node, Op, Value
from ttc.ir.loop import Body
from ttc.ir.types import TensorType


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
        parts.append(text if positional(item, spec) else f"{spec.name}={text}")
    return ", ".join(parts)


def positional(item: Any, spec: Field) -> bool:
    """Return whether this field of an op is printed without its name."""
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
