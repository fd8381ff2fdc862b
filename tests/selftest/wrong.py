"""A device that gives wrong numbers in one kind of call, and records how it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttc.calls.call import Call
from ttc.calls.target import TARGETS, Target
from ttc.ir import Spec
from ttc.runtime.emulator.device import EmulatorDevice


class Wrong(EmulatorDevice):
    """The emulator, but the results of one kind of call are changed; it knows what a card does beside."""

    def __init__(self, name: str, change: Any = lambda x, times: x * 1.1):
        super().__init__("tensix")
        self.name, self.change, self.times, self.waited, self.left = name, change, 0, 0, 0
        self.opened: list[dict[str, Any]] = []

    def run(self, call: Call, operands: Mapping[str, Any], specs: tuple[Spec, ...]) -> tuple[Any, ...]:
        results = super().run(call, operands, specs)
        if call.mnemonic != self.name:
            return results
        self.times += 1
        return tuple(self.change(x, self.times) for x in results)

    def synchronize(self) -> None:
        self.waited += 1

    def measured(self) -> Target:
        return TARGETS["p150"]

    def leave(self) -> None:
        self.left += 1
