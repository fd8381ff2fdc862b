"""Numerics of reductions, and of choices along a dimension."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from ttc.calls import reduce as calls
from ttc.calls.call import ComputeKernelConfig
from ttc.ir import DType
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.passes import matrix_operand
from ttc.runtime.emulator.registry import emulates


@emulates(calls.Sum)
def total(call: calls.Sum, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Sum in fp32; integers exactly, modulo 2^32."""
    if not input_tensor.is_floating_point():
        return torch.sum(input_tensor, call.dim, call.keepdim, dtype=input_tensor.dtype)
    return torch.sum(matrix_operand(input_tensor, mode, call.compute), call.dim, call.keepdim)


@emulates(calls.Mean)
def mean(call: calls.Mean, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Average over `dim`."""
    y = averaged(input_tensor, call.dim, call.input_tensor.dtype, mode, call.compute)
    return y if call.keepdim else y.squeeze(call.dim)


def averaged(x: Tensor, dims: tuple[int, ...], dtype: DType, mode: Mode, config: ComputeKernelConfig | None) -> Tensor:
    """Multiply the sum over `dims`, which stay as size 1, by 1 / n.

    The matrix engine reads 1 / n in the tensor's format (reduce_helpers_dataflow, reader_pool_2d).
    """
    if mode is Mode.exact:
        return torch.mean(x, dims, True)
    factor = torch.tensor(1 / prod(x.shape[dim] for dim in dims))
    if dtype is not DType.f32:
        factor = factor.to(torch.bfloat16).float()
    x, factor = (matrix_operand(read, mode, config) for read in (x, factor))
    return torch.sum(x, dims, True) * factor


@emulates(calls.Max, calls.Min)
def extreme(call: calls.Max | calls.Min, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return an element of the operand, which needs no rounding."""
    function = torch.amax if isinstance(call, calls.Max) else torch.amin
    return function(input_tensor, call.dim, call.keepdim)


@emulates(calls.Prod)
def product(call: calls.Prod, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Multiply in fp32."""
    return torch.prod(input_tensor, call.dim, call.keepdim)


@emulates(calls.Argmax)
def argmax(call: calls.Argmax, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return the index of the largest element, the first of equals."""
    largest = torch.amax(input_tensor, call.dim, keepdim=True)
    return torch.argmax((input_tensor == largest).to(torch.uint8), call.dim, call.keepdim)


@emulates(calls.Topk)
def topk(call: calls.Topk, mode: Mode, input_tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Return sorted elements and their indices, the first of equals first."""
    values, indices = torch.sort(input_tensor, stable=True, dim=call.dim, descending=call.largest)
    return values.narrow(call.dim, 0, call.k), indices.narrow(call.dim, 0, call.k)
