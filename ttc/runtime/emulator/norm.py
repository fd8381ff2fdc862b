"""Numerics of normalisations and softmax: fp32 inside."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.norm import LayerNorm, LogSoftmax, RmsNorm, Softmax
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.passes import matrix_operand
from ttc.runtime.emulator.registry import emulates


@emulates(LayerNorm)
def layer_norm(
    call: LayerNorm,
    mode: Mode,
    input_tensor: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    residual_input_tensor: Tensor | None = None,
) -> Tensor:
    """Normalise by mean and variance over the last dimension, of x as the matrix engine reads it."""
    x = matrix_operand(_sum(input_tensor, residual_input_tensor), mode, call.compute)
    return F.layer_norm(x, x.shape[-1:], _row(weight), _row(bias), call.epsilon)


@emulates(RmsNorm)
def rms_norm(
    call: RmsNorm,
    mode: Mode,
    input_tensor: Tensor,
    weight: Tensor | None = None,
    residual_input_tensor: Tensor | None = None,
) -> Tensor:
    """Divide x by the root of its mean square."""
    x = matrix_operand(_sum(input_tensor, residual_input_tensor), mode, call.compute)
    return F.rms_norm(x, x.shape[-1:], _row(weight), call.epsilon)


def _sum(x: Tensor, residual: Tensor | None) -> Tensor:
    return x if residual is None else x + residual


def _row(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.reshape(-1)


@emulates(Softmax)
def softmax(call: Softmax, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Compute softmax with the maximum subtracted first."""
    return torch.softmax(matrix_operand(input_tensor, mode, call.compute), call.dim)


@emulates(LogSoftmax)
def log_softmax(call: LogSoftmax, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Compute log softmax with the maximum subtracted first."""
    return torch.log_softmax(matrix_operand(input_tensor, mode, call.compute), call.dim)
