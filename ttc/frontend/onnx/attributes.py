"""Attributes of ONNX nodes: their kinds by operator, and their values."""

# pyright: reportAttributeAccessIssue=false
# (the stubs of onnx.defs lack most of what a schema has)

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto

from ttc.errors import Refusal

FORGOTTEN = ("consumed_inputs",)
"""Attributes of the first opsets that say nothing about the result."""


@cache
def schema_kinds(name: str, domain: str, opset: int) -> Mapping[str, int] | None:
    """Return the kind (`AttributeProto.type`) of each attribute of an ONNX operator; None for unknown operators."""
    try:
        schema = onnx.defs.get_schema(name, opset, domain)
    except onnx.defs.SchemaError:
        return None
    return {key: item.type.value for key, item in schema.attributes.items()}


def attributes(node: NodeProto, domain: str, opset: int, written: Mapping[str, int]) -> dict[str, Any]:
    """Read a node's attributes by name; Refusal if one is not the operator's, or of another kind.

    `written` are the kinds of an operator that ONNX has no schema of.
    """
    kinds = schema_kinds(node.op_type, domain, opset)
    kinds = written if kinds is None else kinds
    given = [item for item in node.attribute if item.name not in FORGOTTEN]
    for item in given:
        if item.name not in kinds:
            raise Refusal(f"its attribute {item.name} = {attribute(item)!r} is not supported")
        if kinds[item.name] != item.type:
            raise Refusal(
                f"its attribute {item.name} should be of kind {AttributeProto.AttributeType.Name(kinds[item.name])}"
            )
    return {item.name: attribute(item) for item in given}


def check_word(kind: str, word: str, *known: str) -> None:
    """Refuse a word that is none of an attribute's; `kind` names the attribute in the sentence."""
    if word not in known:
        raise Refusal(f"no {kind} is called {word!r}")


def attribute(item: AttributeProto) -> Any:
    """Read an attribute's value: numbers, strings, tuples, or the tensor itself."""
    match item.type:
        case AttributeProto.FLOAT:
            return _shortest(item.f)
        case AttributeProto.FLOATS:
            return tuple(map(_shortest, item.floats))
        case AttributeProto.INT:
            return item.i
        case AttributeProto.INTS:
            return tuple(item.ints)
        case AttributeProto.STRING:
            return item.s.decode("utf-8", "replace")
        case AttributeProto.STRINGS:
            return tuple(text.decode("utf-8", "replace") for text in item.strings)
        case AttributeProto.TENSOR:
            return item.t
    raise Refusal(f"its attribute {item.name} is of a kind that is not supported")


def _shortest(number: float) -> float:
    """Return the shortest decimal that rounds to a number of 32 bits: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(number)))
