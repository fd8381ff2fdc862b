"""Structure of a program's arguments and results, in plain containers.

torch writes the names of classes (a model's output class, a cache, a named tuple) and looks them up when it loads: a
process that has not imported them cannot load the file, and one that has runs their code. So a container with names
for its parts becomes a dict here, and one without names a tuple; names of outputs stay as the module has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ttc.errors import InputError

PROTOCOL = 1
"""Version of torch's format of structures that is known here."""

LEAF = {"type": None, "context": None, "children_spec": []}
SEQUENCES = {"builtins.tuple", "builtins.list"}
KEY = (str, int, float, bool, type(None))

FieldNames = Mapping[str, list[str]]
"""Field names of named tuples, by the name of their class."""


def plain_structure(text: str, fields: FieldNames) -> str:
    """Return a serialised structure with only dicts, lists and tuples in it; InputError if the text is no structure."""
    try:
        protocol, tree = json.loads(text)
        if protocol != PROTOCOL:
            raise InputError(f"its structures are of version {protocol!r}, not {PROTOCOL}")
        return json.dumps([PROTOCOL, _plain(tree, fields)])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError("the structure of its arguments or results is damaged") from None


def keyword_names(text: str) -> list[str]:
    """Return the names of keyword arguments in a plain structure of arguments; InputError for other structures."""
    tree = json.loads(text)[1]
    if tree["type"] == "builtins.tuple":
        match [(part["type"], part["context"]) for part in tree["children_spec"]]:
            case [("builtins.tuple", _), ("builtins.dict", str() as names)]:
                return [str(name) for name in json.loads(names)]
    raise InputError("the structure of its arguments is not that of a call")


def is_text(text: str) -> bool:
    """Return whether a text can stand in source code between quotes: printable, no quote, no escape."""
    return text.isprintable() and not any(mark in text for mark in "'\"\\`")


def _plain(tree: dict[str, Any], fields: FieldNames) -> dict[str, Any]:
    kind, context, parts = tree["type"], tree["context"], tree["children_spec"]
    if kind is None:
        if parts or context is not None:
            raise ValueError
        return LEAF
    children = [_plain(part, fields) for part in parts]
    if kind in SEQUENCES:
        return {"type": kind, "context": "null", "children_spec": children}
    names = _names(kind, context, fields)
    if kind == "builtins.dict" and (names is None or len(names) != len(children)):
        raise ValueError
    if names is None or len(names) != len(children):
        return {"type": "builtins.tuple", "context": "null", "children_spec": children}
    return {"type": "builtins.dict", "context": json.dumps(names), "children_spec": children}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _names(kind: str, context: Any, fields: FieldNames) -> list[Any] | None:
    """Return the names of a container's parts, as its context holds them: a list, alone or first in one."""
    if kind == "collections.namedtuple":
        return fields.get(context)
    found = _json(context) if isinstance(context, str) else context
    if isinstance(found, dict):  # a defaultdict, whose factory is left behind
        found = found.get("dict_context")
    if isinstance(found, list) and found and isinstance(found[0], list):  # a dataclass: fields, and those that are None
        found = found[0]
    if not isinstance(found, list) or not all(isinstance(name, KEY) for name in found):
        return None
    if len(set(found)) != len(found) or not all(is_text(name) for name in found if isinstance(name, str)):
        raise InputError("the names of its arguments or results are not plain text")
    return found
