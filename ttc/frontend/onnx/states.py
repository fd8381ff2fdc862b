"""States of ONNX models: inputs that are bound to outputs, whose numbers they take in the next run."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from onnx import ModelProto

from ttc.errors import InputError
from ttc.frontend.onnx.dims import input_names
from ttc.frontend.onnx.file import Opened, open_model
from ttc.ir.state import require_plain, state_input
from ttc.ops.expr import Expr


def check_states(model: str | PathLike | ModelProto | Opened, states: Mapping[str, str]) -> None:
    """Raise InputError for a state whose input or output the model does not have, and for an output of two states."""
    sides = input_names(model), [output.name for output in open_model(model)[0].graph.output]
    for name in (*sides[0], *sides[1]):
        require_plain(name)
    for what, names, bound in zip(("input", "output"), sides, (states.keys(), states.values()), strict=True):
        for name in bound:
            if name not in names:
                there = ", ".join(names) or f"no {what}s"
                raise InputError(f"state binds the {what} {name!r}, which the model does not have: it has {there}")
    for output in states.values():
        if len(inputs := [name for name, bound in states.items() if bound == output]) > 1:
            raise InputError(f"the output {output!r} is bound to two states: {' and '.join(inputs)}")


def bound_states(
    outputs: list[tuple[str, Any]],
    inputs: Mapping[str, Any],
    states: Mapping[str, str],
    reasons: list[tuple[str, str]],
) -> list[tuple[str, Any]]:
    """Return outputs under the names of the states that they are bound to; note why where a state changes its type."""
    names = {output: name for name, output in states.items()}
    for output, after in outputs:
        before = inputs[names[output]] if output in names else after
        if isinstance(before, Expr) and isinstance(after, Expr) and before.type != after.type:
            why = f"the state is {before.type} before a run and {after.type} after it: a state keeps its type"
            reasons.append((names[output], why))
    return [(state_input(names[name]) if name in names else name, found) for name, found in outputs]
