"""Numerics of the calls around loops: they move numbers alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.loop import Clone, Empty, FillCache
from ttc.runtime.emulator.numerics import STORED, Mode
from ttc.runtime.emulator.registry import emulates


@emulates(FillCache, stored=True)
def fill_cache(call: FillCache, mode: Mode, cache: Tensor, input: Tensor) -> Tensor:
    """Write in place, as on the card: the cost of a step does not grow with the number of steps."""
    cache[call.batch_idx] = input[0]
    return cache


@emulates(Clone, stored=True)
def clone(call: Clone, mode: Mode, input: Tensor) -> Tensor:
    """Copy the tensor."""
    return input.clone()


@emulates(Empty, stored=True)
def empty(call: Empty, mode: Mode) -> Tensor:
    """Fill with NaN, so that no computation can come to rely on the buffer's content; integers with 0."""
    if call.dtype.is_float:
        return torch.full(call.shape, torch.nan, dtype=STORED[call.dtype])
    return torch.zeros(call.shape, dtype=STORED[call.dtype])
