"""Integer constants that the device would not store, or compute with, as they are."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ttc.calls.call import Call
from ttc.calls.index import Gather, Scatter
from ttc.calls.target import ARCHITECTURES, Target
from ttc.errors import Refusal
from ttc.ir import Const, DType, Graph, Value, Weights
from ttc.ir.state import state_name
from ttc.ops.interpret import evaluate_value, has_data
from ttc.ops.torch_types import stored_as


def wide_integers(
    program: Graph, derived: Mapping[str, Value], weights: Weights, target: Target
) -> list[tuple[str, str]]:
    """List place and reason of each constant, as far as there is data, with integers beyond the device's type.

    So too of what states start from. Constants that the program computes with are within what the card's vector unit
    holds. `derived` are the values of the program's references, and `weights` the model's own.
    """
    reasons: list[tuple[str, str]] = []
    computed = _computed_with(program)
    constants = [(node.op.ref, node.results[0]) for node in program.nodes if isinstance(node.op, Const)]
    for ref, constant in (*constants, *program.states.items()):
        value = derived[ref]
        if not constant.dtype.is_integer:
            continue
        if value.dtype.bytes < 4 or (value.dtype is DType.i32 and constant not in computed):
            continue  # these fit
        if not has_data(value, weights):
            continue
        try:
            stored = stored_as(evaluate_value(value, weights), constant.dtype)
            if constant in computed:
                _check_computed(stored, target)
        except Refusal as refusal:
            reasons.append((f"{_words(ref)}{_read_in(program, constant)}", str(refusal)))
    return reasons


def _computed_with(program: Graph) -> set[Value]:
    """Return the values of 32-bit integers that a call computes with, also behind calls that move elements alone."""
    computed: set[Value] = set()
    for node in reversed(program.nodes):
        moves = isinstance(node.op, Call) and (node.op.moves or isinstance(node.op, (Gather, Scatter)))
        if isinstance(node.op, Call) and (not moves or not computed.isdisjoint(node.results)):
            computed.update(value for value in node.op.operands() if value.dtype is DType.i32)
    return computed


def _check_computed(stored: Tensor, target: Target) -> None:
    lowest, largest = ARCHITECTURES[target.arch].integers
    for number in (int(stored.min()), int(stored.max())) if stored.numel() else ():
        if not lowest <= number <= largest:
            words = f"{target.arch} computes with integers of {lowest} to {largest}"
            raise Refusal(f"the integer {number} reaches arithmetic, and {words}")


def _words(ref: str) -> str:
    own = state_name(ref)
    return f"constant {ref}" if own is None else f"the initial state {own}"


def _read_in(program: Graph, constant: Value) -> str:
    """Return the location in the model of the first call that reads a constant, where it is known."""
    places = (node.results[0].location for node in program.nodes if node.results and constant in node.op.operands())
    place = next(filter(None, places), "")
    return f" in {place}" if place else ""
