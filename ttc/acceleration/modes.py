"""The run modes of an accelerated model, under the names and with the meanings that TT-Symbiote published."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ttc.errors import InputError


class Mode(Enum):
    """The side, device or torch, that computes a chosen module, and whose numbers the model goes on with."""

    NORMAL = "the device computes; a module that cannot be compiled or run is an error"
    NORMAL_WITH_FALLBACK = "the device computes; torch does where a module cannot be compiled or run"
    SEL = "both compute, from the device's numbers; the device's go on"
    DPL = "both compute, each from numbers of its own, which both go on"
    DPL_NO_ERROR_PROP = "both compute, from torch's numbers; torch's go on"
    CPU = "torch computes"


def mode_named(name: Any) -> Mode:
    """Return a run mode by its name; InputError with the names for any other."""
    if isinstance(name, Mode):
        return name
    if not isinstance(name, str) or name not in Mode.__members__:
        raise InputError(f"no run mode is called {name!r}; there are {', '.join(Mode.__members__)}")
    return Mode[name]
