"""States of a session: tensors that stay on the device from run to run, by the name of their input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ttc.calls.call import spec_of
from ttc.errors import InputError
from ttc.ir import Spec, Value, Weights
from ttc.ir.state import state_name
from ttc.runtime.run.convert import from_device
from ttc.runtime.run.device import Device, Tensor
from ttc.runtime.run.program import Program


class Left(NamedTuple):
    """The tensor that a run leaves of a state; `origin` is the input in whose buffer the tensor lies, if in one's."""

    tensor: Tensor
    spec: Spec
    origin: str | None = None


class States:
    """States as the runs so far have left them, at first the weights of their inputs' names."""

    def __init__(self, weights: Weights, device: Device):
        self._weights, self._device = weights, device
        self._left: Mapping[str, Left] = {}

    def reset(self) -> None:
        """Return to the initial numbers."""
        self.drop()

    def drop(self) -> None:
        """Drop all tensors."""
        self._left = {}

    def before(self, name: str, value: Value) -> Tensor:
        """Return a state as a program takes it: what the run before has left, or the initial numbers."""
        if name not in self._left:
            return self._device.upload(own_initial(name, value, self._weights), spec_of(value))
        tensor, spec, _ = self._left[name]
        if spec == spec_of(value):
            return tensor
        return self._device.upload(self._device.download(tensor, spec), spec_of(value))  # another bucket has left it

    def leave(self, left: Mapping[str, Left]) -> None:
        """Let the input of each state take the tensor of its output, for the next run."""
        self._left = left

    def arrays(self, program: Program) -> dict[str, np.ndarray]:
        """Return the states by their own names, in the model's own dtypes."""
        declared = dict(program.inputs)
        return {
            str(state_name(name)): from_device(
                self._device.download(self.before(name, value), spec_of(value)), declared[name]
            )
            for name, value in program.graph.states.items()
        }


def initial(ref: str, value: Value, weights: Weights) -> np.ndarray:
    """Return the numbers of a weight for a value; InputError if the weight has none or another shape."""
    array = weights.read(ref)
    if array.size != value.type.numel:
        raise InputError(f"weight {ref!r} has shape {list(array.shape)}, the program wants {value.type}")
    return array


def own_initial(ref: str, value: Value, weights: Weights) -> np.ndarray:
    """Return what a state starts from in an array of its own: calls may write where it is uploaded."""
    return initial(ref, value, weights).copy()
