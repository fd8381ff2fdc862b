"""Numerics of calls that repeat elements: no arithmetic; tensors keep their stored form."""

from __future__ import annotations

from torch import Tensor

from ttc.calls.repeat import Expand, Repeat
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Expand, stored=True)
def expand(call: Expand, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return a broadcast view."""
    return input_tensor.expand(call.output_shape)


@emulates(Repeat, stored=True)
def repeat(call: Repeat, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Repeat the whole tensor along each dimension."""
    return input_tensor.repeat(call.repeat_dims)
