"""The refusal of values that no card holds."""

from __future__ import annotations

from math import prod

from ttc.calls.target import Target
from ttc.errors import Refused
from ttc.ir import DType, Graph, Value
from ttc.ir.stand_in import without

SMALLER = "compile for smaller sizes, or a card of more memory"
"""Advice for values that are larger than the card's memory."""


def refuse_giants(graph: Graph, target: Target) -> None:
    """Raise Refused if a value is larger than the card's memory, also but for an empty dimension, or in blocks.

    What is as large because of a larger operand is no reason of its own.
    """
    refused: set[Value] = set()
    reasons: list[tuple[str, str]] = []
    for node in graph.nodes:
        follows = not refused.isdisjoint(node.op.operands())
        for value in node.results:
            reason = _too_large(value, target)
            if reason:
                refused.add(value)
                reasons += [] if follows else [(value.where, reason)]
    if reasons:
        raise Refused(reasons, (SMALLER,), without(graph, refused))


def _too_large(value: Value, target: Target) -> str:
    """Return the reason why no card's memory holds a value; "" if the card's does."""
    if value.dtype in (DType.bfp8, DType.bfp4):
        return f"no model has values of type {value.dtype}"
    elements = prod(max(size, 1) for size in value.shape)
    if elements * min(value.dtype.bytes, 2) <= target.dram_bytes:
        return ""
    return f"{value.type} is more than the {target.dram_bytes:,} bytes of {target.name}"
