"""Comparison call by call: a program on a card beside the same program on the emulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ttc.calls.call import Call, spec_of
from ttc.calls.loop import Empty
from ttc.ir import Value
from ttc.pipeline import Build
from ttc.runtime.run.device import Device
from ttc.runtime.run.devices import open_device
from ttc.runtime.run.session import Session
from ttc.validation.compare import Comparison

Arrays = Mapping[str, np.ndarray]
Seen = Callable[[Value, np.ndarray], None]


def compare_calls(
    build: Build, inputs: Arrays, session: Session, progress: Callable[[str, int], None]
) -> tuple[dict[str, np.ndarray], list[Comparison]]:
    """Return a session's outputs, and each call's results in the session beside those in the emulator's mode tensix.

    Both run from the inputs on, so differences add up along the program: the first call that departs is where to look.
    `progress` gets each call, and how many there may be in both runs.
    """
    steps = 2 * len(build.program.graph.nodes)
    wanted: dict[Value, np.ndarray] = {}
    emulator = Session([build.bucket], build.weights, open_device("emulator", "tensix"))
    emulator.run(inputs, _observer(build, emulator.device, wanted.__setitem__, progress, steps))
    found: list[Comparison] = []

    def compare(value: Value, array: np.ndarray) -> None:
        found.append(Comparison.of(value.where, array, wanted[value]))

    return session.run(inputs, _observer(build, session.device, compare, progress, steps)), found


def _observer(
    build: Build, device: Device, seen: Seen, progress: Callable[[str, int], None], steps: int
) -> Callable[[int, Call, dict[str, Any], tuple[Any, ...]], None]:
    """Return an observer that hands on what each call gives; what is only room to write in holds any numbers."""

    def observe(index: int, call: Call, operands: dict[str, Any], results: tuple[Any, ...]) -> None:
        progress(call.mnemonic, steps)
        for value, tensor in zip(build.program.graph.nodes[index].results, results, strict=True):
            if not isinstance(call, Empty):
                seen(value, device.download(tensor, spec_of(value)))

    return observe
