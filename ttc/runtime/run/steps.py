"""Bound steps: a plan's calls made ready for a device once, so that a run only hands tensors from call to call.

Every value has a number, its place in the list of a run's tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ttc.calls.call import Call
from ttc.calls.host import HostOp
from ttc.calls.loop import Loop, StepCall
from ttc.errors import TtcError
from ttc.ir import Value
from ttc.ir.operands import operand_places, tensors_by_field
from ttc.runtime.run.device import Bound, Device, Tensor
from ttc.runtime.run.host import run_on_host
from ttc.runtime.run.plan import Step

Observer = Callable[[int, Call, dict[str, Any], tuple[Tensor, ...]], None]
"""Called after each call of a run, with the call's position among the program's nodes, the call, operands and results.

A loop counts as one call; the calls of its body are not reported."""


@dataclass(frozen=True, slots=True)
class BoundStep:
    """A step with the numbers of what the step reads, makes and uses for the last time.

    `run` holds the bound call: one in a program, one for each turn of the loop around in a loop's body.
    """

    index: int
    call: Call
    run: tuple[Bound, ...]
    reads: tuple[int, ...]
    makes: tuple[int, ...]
    releases: tuple[int, ...]


def numbered(values: Iterable[Value], steps: Sequence[Step]) -> dict[Value, int]:
    """Return numbers of the values that are there at the start, then the results of all steps."""
    made = (value for step in steps for value in step.results)
    return {value: number for number, value in enumerate(dict.fromkeys((*values, *made)))}


def bind(steps: Sequence[Step], numbers: Mapping[Value, int], device: Device, turns: int = 1) -> tuple[BoundStep, ...]:
    """Bind each step to the device; in a loop's body for each of its turns."""
    return tuple(
        BoundStep(
            step.index,
            step.call,
            _bound(step, device, turns),
            tuple(numbers[value] for value in step.call.operands()),
            tuple(numbers[value] for value in step.results),
            tuple(numbers[value] for value in step.releases),
        )
        for step in steps
    )


def execute(steps: Sequence[BoundStep], tensors: list[Tensor], observer: Observer | None = None, turn: int = 0) -> None:
    """Run steps in order, those of a loop's body as they are in its `turn`-th turn; `tensors` are by number."""
    for step in steps:
        operands = [tensors[number] for number in step.reads]
        results = step.run[turn](operands)
        if len(results) != len(step.makes):
            raise TtcError(f"{step.call.mnemonic} gave {len(results)} tensors, not the {len(step.makes)} of its type")
        for number, result in zip(step.makes, results):  # noqa: B905 (strict costs time, and it is checked)
            tensors[number] = result
        if observer is not None:
            observer(step.index, step.call, tensors_by_field(operand_places(step.call), operands), results)
        for number in step.releases:
            tensors[number] = None
        del operands, results


def _bound(step: Step, device: Device, turns: int) -> tuple[Bound, ...]:
    match step.call:
        case Loop() as loop:
            return (_bound_loop(loop, step.inner, device),) * turns
        case HostOp() as call:
            return (partial(run_on_host, call, device=device),) * turns
        case StepCall() as call:
            return tuple(device.bind(call.at(turn)) for turn in range(turns))
    return (device.bind(step.call),) * turns


def _bound_loop(loop: Loop, steps: tuple[Step, ...], device: Device) -> Bound:
    """Bind a loop; its results are what its inputs hold after the last turn."""
    numbers = numbered(loop.body.inputs, steps)
    bound = bind(steps, numbers, device, loop.count)
    first = len(loop.carried)
    skipped = first + len(loop.scanned)
    written = [*range(first), *range(skipped, skipped + len(loop.stacked))]
    outputs = [numbers[value] for _, value in loop.body.outputs]

    def run(operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        given = list(operands)
        for turn in range(loop.count):
            inner = [*given, *[None] * (len(numbers) - len(given))]
            execute(bound, inner, turn=turn)
            for position, number in zip(written, outputs, strict=True):
                given[position] = inner[number]
        return tuple(given[position] for position in written)

    return run
