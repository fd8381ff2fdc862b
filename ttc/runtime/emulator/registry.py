"""Registry of the functions that emulate calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ttc.calls.call import Call

Emulation = Callable[..., Any]
EMULATIONS: dict[type[Call], Emulation] = {}
STORED_OPERANDS: set[type[Call]] = set()
"""Calls whose emulation takes and gives tensors as they are stored: moves of numbers, and native bf16."""


def emulates(*kinds: type[Call], stored: bool = False) -> Callable[[Emulation], Emulation]:
    """Register `function(call, mode, **operands by field name)` as the numerics of these calls.

    Operands arrive as `numerics.load` gives them (float32 or integers; absent ones as None, lists as lists); the
    result, or tuple of results, is rounded to its spec afterwards. With `stored` the operands arrive as they are
    stored (`numerics.STORED`) and the function returns stored results, rounded by itself.
    """

    def register(function: Emulation) -> Emulation:
        for kind in kinds:
            assert kind not in EMULATIONS, f"two emulations of {kind.mnemonic}"
            EMULATIONS[kind] = function
            if stored:
                STORED_OPERANDS.add(kind)
        return function

    return register
