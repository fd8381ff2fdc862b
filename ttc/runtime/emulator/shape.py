"""Numerics of calls that move elements: no arithmetic; tensors keep their stored form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.concat import Concat
from ttc.calls.narrow import Narrow
from ttc.calls.pad import Pad
from ttc.calls.shape import Permute, Reshape, Slice
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(Reshape, stored=True)
def reshape(call: Reshape, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return the same elements in row-major order, or a view of the first rows."""
    if call.padded_shape is not None:
        return input_tensor[..., : call.shape[-2], :]
    return input_tensor.reshape(call.shape)


@emulates(Permute, stored=True)
def permute(call: Permute, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return a permuted view."""
    return input_tensor.permute(call.dims)


@emulates(Slice, stored=True)
def slice_(call: Slice, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return a view of the slice."""
    return input_tensor[tuple(slice(*bounds) for bounds in zip(call.starts, call.ends, call.steps, strict=True))]


@emulates(Narrow, stored=True)
def narrow(call: Narrow, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return a view of the columns."""
    return input_tensor.narrow(call.dim, call.start, call.length)


@emulates(Concat, stored=True)
def concat(call: Concat, mode: Mode, tensors: list[Tensor]) -> Tensor:
    """Concatenate the tensors."""
    return torch.cat(list(tensors), call.dim)


@emulates(Pad, stored=True)
def pad(call: Pad, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Pad with a constant."""
    return F.pad(input_tensor, [size for pair in reversed(call.padding) for size in pair], value=call.value)
