"""Which function emulates which call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ttc.calls.call import Call

Emulation = Callable[..., Any]
EMULATIONS: dict[type[Call], Emulation] = {}


def emulates(*kinds: type[Call]) -> Callable[[Emulation], Emulation]:
    """Register `function(call, mode, **operands by field name)` as the numerics of these calls.

    Operands arrive as `numerics.load` gives them (float32 or integers; absent ones as None, lists as
    lists); the result, or tuple of results, is rounded to its spec afterwards.
    """

    def register(function: Emulation) -> Emulation:
        for kind in kinds:
            assert kind not in EMULATIONS, f"two emulations of {kind.mnemonic}"
            EMULATIONS[kind] = function
        return function

    return register
