"""Integer constants that the device would not store as they are."""

from __future__ import annotations

from collections.abc import Mapping

from ttc.errors import Refusal
from ttc.ir import Const, DType, Graph, Value, Weights
from ttc.ops.interpret import evaluate_value, has_data
from ttc.ops.torch_types import stored_as


def wide_integers(program: Graph, derived: Mapping[str, Value], weights: Weights) -> list[tuple[str, str]]:
    """List place and reason of each constant, as far as there is data, with integers beyond the device's type.

    `derived` are the values of the program's references, and `weights` the model's own.
    """
    reasons: list[tuple[str, str]] = []
    for node in program.nodes:
        if not isinstance(node.op, Const) or not node.op.type.dtype.is_integer:
            continue
        value = derived[node.op.ref]
        if value.dtype.bytes < 4 or value.dtype is DType.i32 or not has_data(value, weights):
            continue
        try:
            stored_as(evaluate_value(value, weights), node.op.type.dtype)
        except Refusal as refusal:
            reasons.append((f"constant {node.op.ref}{_read_in(program, node.results[0])}", str(refusal)))
    return reasons


def _read_in(program: Graph, constant: Value) -> str:
    """Return the location in the model of the first call that reads a constant, where it is known."""
    places = (node.results[0].location for node in program.nodes if node.results and constant in node.op.operands())
    place = next(filter(None, places), "")
    return f" in {place}" if place else ""
