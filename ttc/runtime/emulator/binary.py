"""Numerics of elementwise calls with two operands."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ttc.calls import binary as calls
from ttc.calls import logic
from ttc.calls.call import spec_of
from ttc.ir import DType
from ttc.runtime.emulator.activations import fused
from ttc.runtime.emulator.numerics import STORED, Mode
from ttc.runtime.emulator.registry import emulates

FUNCTIONS: dict[type[calls.BinaryCall], Callable[[Tensor, Tensor], Tensor]] = {
    calls.Add: torch.add,
    calls.Atan2: torch.atan2,
    logic.BitwiseAnd: torch.bitwise_and,
    logic.BitwiseLeftShift: torch.bitwise_left_shift,
    logic.BitwiseOr: torch.bitwise_or,
    logic.BitwiseRightShift: torch.bitwise_right_shift,
    logic.BitwiseXor: torch.bitwise_xor,
    logic.Eq: torch.eq,
    calls.Gcd: torch.gcd,
    logic.Ge: torch.ge,
    logic.Gt: torch.gt,
    logic.Le: torch.le,
    logic.LogicalAnd: torch.logical_and,
    logic.LogicalOr: torch.logical_or,
    logic.LogicalXor: torch.logical_xor,
    logic.Lt: torch.lt,
    calls.Maximum: torch.maximum,
    calls.Minimum: torch.minimum,
    calls.Multiply: torch.multiply,
    logic.Ne: torch.ne,
    calls.Pow: torch.pow,
    calls.Subtract: torch.subtract,
}

KEEP_NUMBERS = (calls.Maximum, calls.Minimum, calls.Remainder, calls.Fmod, calls.Pow)
"""Calls that TTNN runs as unary ones beside a number: the number reaches the card as fp32 whatever the tensor's dtype.
"""


@emulates(*FUNCTIONS)
def binary(
    call: calls.BinaryCall,
    mode: Mode,
    input_tensor_a: Tensor | None = None,
    input_tensor_b: Tensor | None = None,
    output_tensor: Tensor | None = None,
) -> Tensor:
    """Apply the function of the call's name; truth values are 1 and 0 in the operands' dtype."""
    a, b = operands(call, input_tensor_a, input_tensor_b)
    a, b = fused(a, call.input_tensor_a_activations), fused(b, call.input_tensor_b_activations)
    return fused(FUNCTIONS[type(call)](a, b).to(torch.promote_types(a.dtype, b.dtype)), call.activations)


@emulates(calls.Div)
def divide(
    call: calls.Div,
    mode: Mode,
    input_tensor_a: Tensor | None = None,
    input_tensor_b: Tensor | None = None,
    output_tensor: Tensor | None = None,
) -> Tensor:
    """Divide floats, round to the tensor's dtype, then to whole numbers as asked: two device programs."""
    a, b = operands(call, input_tensor_a, input_tensor_b)
    if call.rounding_mode is None:
        return a / b
    if not a.is_floating_point():
        return whole(lambda x, y: torch.div(x, y, rounding_mode=call.rounding_mode), a, b)
    quotient = (a / b).to(STORED[call.result_dtype()]).float()
    return torch.trunc(quotient) if call.rounding_mode == "trunc" else torch.floor(quotient)


@emulates(calls.Remainder, calls.Fmod)
def remainder(
    call: calls.BinaryCall,
    mode: Mode,
    input_tensor_a: Tensor | None = None,
    input_tensor_b: Tensor | None = None,
    output_tensor: Tensor | None = None,
) -> Tensor:
    """Return the remainder with the sign of b, or with that of a."""
    a, b = operands(call, input_tensor_a, input_tensor_b)
    function = torch.remainder if isinstance(call, calls.Remainder) else torch.fmod
    return function(a, b) if a.is_floating_point() else whole(function, a, b)


def operands(call: calls.BinaryCall, a: Tensor | None, b: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return both operands as tensors, numbers as the card gets them."""
    dtype = spec_of(call.tensors[0]).dtype
    packed = not isinstance(call, KEEP_NUMBERS)
    return (
        number(call.input_tensor_a, dtype, packed) if a is None else a,
        number(call.input_tensor_b, dtype, packed) if b is None else b,
    )


def number(value: object, dtype: DType, packed: bool) -> Tensor:
    """Return a call's number beside a tensor of `dtype`: `packed` in that format (block formats in bf16)."""
    assert isinstance(value, (int, float)), f"{value!r} is not a number"
    if dtype.is_integer:
        return torch.tensor(int(value), dtype=STORED[dtype])
    return torch.tensor(float(value)).to(STORED[dtype] if packed else torch.float32).float()


def whole(function: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> Tensor:
    """Divide integers; a division by 0, which TTNN leaves open, gives 0."""
    zero = b == 0
    return torch.where(zero, torch.zeros_like(b), function(a, torch.where(zero, torch.ones_like(b), b)))
