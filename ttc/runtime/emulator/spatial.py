"""Numerics of calls on images in channels-last form."""

from __future__ import annotations

from torch import Tensor

from ttc.calls.spatial import Upsample
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Upsample, stored=True)
def upsample(call: Upsample, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Repeat each pixel."""
    height, width = call.scale_factor
    return input_tensor.repeat_interleave(height, dim=1).repeat_interleave(width, dim=2)
