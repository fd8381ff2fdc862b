"""Names of states: tensors that a model changes, and that a session keeps on the device from run to run.

A state is an input and an output of a graph that share a name, `@state.` and the state's own: the input is what the
run before has left, the output what this run leaves. No framework gives inputs such names. The state starts from the
weight of the state's own name, or from zeros if the model has none.
"""

from __future__ import annotations

from ttc.errors import InputError
from ttc.ir.random import random_kind

PREFIX = "@state."


def state_input(name: str) -> str:
    """Return the name that the input and the output of a state share; InputError for a state without a name."""
    if not name:
        raise InputError("a state has no name")
    return f"{PREFIX}{name}"


def state_name(name: str) -> str | None:
    """Return the state that an input or output of this name is of; None for those that users give and get."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None


def is_given(name: str) -> bool:
    """Return whether users must give an input of this name: the session keeps states, and draws random inputs."""
    return state_name(name) is None and random_kind(name) is None


def require_plain(name: str) -> str:
    """Return an input's or output's name; InputError if the name is one of a state's."""
    if state_name(name) is not None:
        raise InputError(f"{name!r} is no name for an input or output: what begins with {PREFIX} is state")
    return name
