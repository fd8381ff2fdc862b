"""Numerics of calls that repeat elements: none; tensors stay as they are stored."""

from __future__ import annotations

from torch import Tensor

from ttc.calls.repeat import Expand, Repeat
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Expand, stored=True)
def expand(call: Expand, mode: Mode, input_tensor: Tensor) -> Tensor:
    """A view."""
    return input_tensor.expand(call.output_shape)


@emulates(Repeat, stored=True)
def repeat(call: Repeat, mode: Mode, input_tensor: Tensor) -> Tensor:
    """The whole again and again."""
    return input_tensor.repeat(call.repeat_dims)
