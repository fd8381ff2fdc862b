"""A program that is set up on a device: weights uploaded, calls of weights alone run, all others bound."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ttc.calls.call import buffer_of, spec_of
from ttc.ir import Const, Input, Spec, Value, Weights
from ttc.ir.state import state_name
from ttc.runtime.run.convert import Given, from_device, to_device
from ttc.runtime.run.device import Device, Tensor
from ttc.runtime.run.kept import Kept, Staying
from ttc.runtime.run.plan import plan
from ttc.runtime.run.program import Program
from ttc.runtime.run.states import Left, States, initial
from ttc.runtime.run.steps import Observer, bind, execute, numbered

Uploaded = dict[tuple[str, Spec], Tensor]
"""Weights on a device, by reference and spec: all programs of a session read the same tensors."""

Output = np.ndarray | Staying | Kept
"""An output of a run: read, or staying on the device, or an input that was kept there."""


class Loaded:
    """A program on a device, ready to run; `numbers` are the places of its values among a run's tensors.

    `inputs` are those that calls read, by name, and `results` the outputs that are downloaded: not states, nor what
    is an input as well. Weights that `uploaded` has are not uploaded again. InputError if a weight has no data or
    another shape than the program's.
    """

    def __init__(self, program: Program, weights: Weights, device: Device, uploaded: Uploaded):
        self.program, self._device = program, device
        steps = plan(program.graph)
        self.inputs = steps.inputs
        given = (*steps.constants, *(value for _, value in steps.inputs))
        self.numbers = numbered(given, (*steps.setup, *steps.steps))
        self._kept: list[Tensor] = [None] * len(self.numbers)
        prepared = {value for step in steps.setup for value in step.call.operands()}  # and gone after that
        for value in steps.constants:
            self._kept[self.numbers[value]] = self._uploaded(value, weights, {} if value in prepared else uploaded)
        execute(bind(steps.setup, self.numbers, device), self._kept)
        self._steps = bind(steps.steps, self.numbers, device)
        plain = {name: value for name, value in program.graph.outputs if state_name(name) is None}
        self.results = {name: value for name, value in plain.items() if _copied(value) is None}

    def run(
        self,
        given: Mapping[str, Given],
        states: States,
        observer: Observer | None = None,
        keep: Collection[str] = (),
    ) -> dict[str, Output]:
        """Return the outputs for inputs of the declared types; states go on from where they were left.

        What `keep` names is not downloaded.
        """
        tensors = self.execute(
            {value: self._given(name, value, given, states) for name, value in self.inputs}, observer
        )
        states.leave(self.left(tensors))
        left = {n: Staying(tensors[self.numbers[v]], spec_of(v)) for n, v in self.results.items()}
        return self.outputs(given, left, keep)

    def execute(self, given: Mapping[Value, Tensor], observer: Observer | None = None) -> list[Tensor]:
        """Run the calls on these inputs; return the tensors that are left, by number."""
        tensors = self._kept.copy()
        for value, tensor in given.items():
            tensors[self.numbers[value]] = tensor
        execute(self._steps, tensors, observer)
        return tensors

    def left(self, tensors: list[Tensor]) -> dict[str, Left]:
        """Return what a run leaves of its states."""
        left = {}
        for name, value in self.program.graph.outputs:
            if state_name(name) is not None:
                buffer = buffer_of(value).op
                origin = buffer.name if isinstance(buffer, Input) else None
                left[name] = Left(tensors[self.numbers[value]], spec_of(value), origin)
        return left

    def outputs(
        self, given: Mapping[str, Given], left: Mapping[str, Staying], keep: Collection[str]
    ) -> dict[str, Output]:
        """Return the outputs in order: what `keep` names as it stays, all else read, in the declared types.

        What is an input as well comes back as given.
        """
        names = [name for name, _ in self.program.graph.outputs if state_name(name) is None]
        return {
            name: self._as_given(name, given) if name not in left
            else left[name] if name in keep
            else self.read(name, left[name])
            for name in names
        }  # fmt: skip

    def read(self, name: str, left: Staying) -> np.ndarray:
        """Read an output from the device, in the declared type."""
        return from_device(self._device.download(left.tensor, left.spec), dict(self.program.outputs)[name])

    def _uploaded(self, value: Value, weights: Weights, uploaded: Uploaded) -> Tensor:
        """Return a weight's tensor, uploaded now unless it is there."""
        assert isinstance(value.op, Const)
        key = value.op.ref, spec_of(value)
        if key not in uploaded:
            uploaded[key] = self._device.upload(initial(value.op.ref, value, weights), spec_of(value))
        return uploaded[key]

    def _as_given(self, name: str, given: Mapping[str, Given]) -> Output:
        item = given[str(_copied(dict(self.program.graph.outputs)[name]))]
        return item if isinstance(item, Kept) else from_device(item.copy(), dict(self.program.outputs)[name])

    def _given(self, name: str, value: Value, given: Mapping[str, Given], states: States) -> Tensor:
        if state_name(name) is not None:
            return states.before(name, value)
        item = given[name]
        if isinstance(item, Kept):
            return item.as_input(name, spec_of(value), self._device)
        return self._device.upload(to_device(name, item, spec_of(value)), spec_of(value))


def _copied(output: Value) -> str | None:
    """Return the name of the input that an output is, if the output is one that users give."""
    op = output.op
    return op.name if isinstance(op, Input) and state_name(op.name) is None else None
