"""Numerics of look-ups: elements keep their stored form; only sums are rounded."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.index import Embedding, Gather, Scatter, ScatterAdd
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Embedding, stored=True)
def embedding(call: Embedding, mode: Mode, input_tensor: Tensor, weight: Tensor) -> Tensor:
    """Look up rows of the table."""
    return weight[input_tensor.long()]


@emulates(Gather, stored=True)
def gather(call: Gather, mode: Mode, input: Tensor, index: Tensor) -> Tensor:
    """Gather elements by position."""
    return torch.gather(input, call.dim, index.long())


@emulates(Scatter, stored=True)
def scatter(call: Scatter, mode: Mode, input: Tensor, index: Tensor, src: Tensor) -> Tensor:
    """Put elements at positions; the last of equal positions stays."""
    return input.scatter(call.dim, index.long(), src)


@emulates(ScatterAdd)
def scatter_add(call: ScatterAdd, mode: Mode, input: Tensor, index: Tensor, src: Tensor) -> Tensor:
    """Add elements at positions, in fp32."""
    return input.scatter_add(call.dim, index.long(), src)
