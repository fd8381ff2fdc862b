"""Numerics of elementwise calls with one operand."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls import unary as calls
from ttc.runtime.emulator import activations
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates

FUNCTIONS: dict[type[calls.UnaryCall], Callable[[Tensor], Tensor]] = {
    calls.Abs: torch.abs,
    calls.Acos: torch.acos,
    calls.Acosh: torch.acosh,
    calls.Asin: torch.asin,
    calls.Asinh: torch.asinh,
    calls.Atan: torch.atan,
    calls.Atanh: torch.atanh,
    calls.Ceil: torch.ceil,
    calls.Cos: torch.cos,
    calls.Cosh: torch.cosh,
    calls.Erf: torch.erf,
    calls.Exp: torch.exp,
    calls.Expm1: torch.expm1,
    calls.Floor: torch.floor,
    calls.Hardsigmoid: F.hardsigmoid,
    calls.Hardswish: F.hardswish,
    calls.Isnan: torch.isnan,
    calls.Log: torch.log,
    calls.Log1p: torch.log1p,
    calls.LogicalNot: torch.logical_not,
    calls.Mish: F.mish,
    calls.Neg: torch.neg,
    calls.Nez: lambda x: x != 0,
    calls.Reciprocal: torch.reciprocal,
    calls.Relu: torch.relu,
    calls.Round: torch.round,
    calls.Rsqrt: torch.rsqrt,
    calls.Sigmoid: torch.sigmoid,
    calls.Sign: torch.sign,
    calls.Silu: F.silu,
    calls.Sin: torch.sin,
    calls.Sinh: torch.sinh,
    calls.Softsign: F.softsign,
    calls.Sqrt: torch.sqrt,
    calls.Square: torch.square,
    calls.Tan: torch.tan,
    calls.Tanh: torch.tanh,
    calls.Trunc: torch.trunc,
}


@emulates(*FUNCTIONS)
def unary(call: calls.UnaryCall, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Apply the function of the call's name; truth values are 1 and 0 in the operand's dtype."""
    return FUNCTIONS[type(call)](input_tensor).to(input_tensor.dtype)


@emulates(calls.Gelu)
def gelu(call: calls.Gelu, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Compute either variant in fp32."""
    return activations.gelu(input_tensor, "tanh" if call.variant is calls.GeluVariant.Tanh else "none")


@emulates(calls.Elu)
def elu(call: calls.Elu, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Compute alpha * expm1(x) below 0."""
    return torch.where(input_tensor > 0, input_tensor, call.alpha * torch.expm1(input_tensor))


@emulates(calls.LeakyRelu)
def leaky_relu(call: calls.LeakyRelu, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Compute negative_slope * x below 0."""
    return F.leaky_relu(input_tensor, call.negative_slope)


@emulates(calls.Softplus)
def softplus(call: calls.Softplus, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Compute softplus, linear beyond the threshold, as torch's."""
    return F.softplus(input_tensor, call.beta, call.threshold)


@emulates(calls.Clamp)
def clamp(call: calls.Clamp, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Clamp between the given bounds."""
    return torch.clamp(input_tensor, call.min, call.max)


@emulates(calls.Rpow)
def reverse_power(call: calls.Rpow, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Raise the number to each element."""
    return torch.pow(call.exponent, input_tensor)
