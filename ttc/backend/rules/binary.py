"""Lowering of elementwise ops with two operands: arithmetic, comparisons, logic, and selection.

An operand that is one number everywhere becomes a Python number in the call. Booleans are 1 or 0 in their producer's
dtype, so operands may have to be brought to one dtype first.
"""

from __future__ import annotations

from math import copysign
from typing import Any

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.cache import row_written
from ttc.backend.rules.matmul import with_bias
from ttc.backend.rules.numbers import held
from ttc.backend.rules.ternary import summed
from ttc.calls import binary as calls
from ttc.calls import logic as logic_calls
from ttc.calls import unary as unary_calls
from ttc.calls.call import FUSED, spec_of
from ttc.calls.ternary import Where
from ttc.ir import DType, Op, TensorType, Value
from ttc.ops.binary import Binary
from ttc.ops.ranges import interval

CALLS: dict[type[Op], type[calls.BinaryCall]] = {
    ops.Add: calls.Add,
    ops.Atan2: calls.Atan2,
    ops.Eq: logic_calls.Eq,
    ops.Fmod: calls.Fmod,
    ops.Gcd: calls.Gcd,
    ops.Ge: logic_calls.Ge,
    ops.Gt: logic_calls.Gt,
    ops.Le: logic_calls.Le,
    ops.Lt: logic_calls.Lt,
    ops.Maximum: calls.Maximum,
    ops.Minimum: calls.Minimum,
    ops.Mul: calls.Multiply,
    ops.Ne: logic_calls.Ne,
    ops.Remainder: calls.Remainder,
    ops.ShiftLeft: logic_calls.BitwiseLeftShift,
    ops.ShiftRight: logic_calls.BitwiseRightShift,
    ops.Sub: calls.Subtract,
}
"""Call of each op that one TTNN call without attributes does."""

SWAPPED: dict[type[calls.BinaryCall], type[calls.BinaryCall]] = {
    logic_calls.Eq: logic_calls.Eq,
    logic_calls.Ge: logic_calls.Le,
    logic_calls.Gt: logic_calls.Lt,
    logic_calls.Le: logic_calls.Ge,
    logic_calls.Lt: logic_calls.Gt,
    calls.Maximum: calls.Maximum,
    calls.Minimum: calls.Minimum,
    calls.Multiply: calls.Multiply,
    logic_calls.Ne: logic_calls.Ne,
}
"""Call of the same result with its operands exchanged."""

LOGIC: dict[type[Op], tuple[type[calls.BinaryCall], type[calls.BinaryCall]]] = {
    ops.And: (logic_calls.LogicalAnd, logic_calls.BitwiseAnd),
    ops.Or: (logic_calls.LogicalOr, logic_calls.BitwiseOr),
    ops.Xor: (logic_calls.LogicalXor, logic_calls.BitwiseXor),
}
"""Calls of each logical op: for booleans, and for integers."""

POWERS: dict[float, type[unary_calls.UnaryCall]] = {
    2.0: unary_calls.Square,
    0.5: unary_calls.Sqrt,
    -0.5: unary_calls.Rsqrt,
    -1.0: unary_calls.Reciprocal,
}
"""Exponents with a call of their own."""


@lowers(*CALLS)
def binary(op: Binary, to: Lowering) -> Value:
    """Lower to the call of the same meaning, with a number where TTNN takes one; a value times itself is read once."""
    if isinstance(op, ops.Mul) and op.a is op.b:
        return to.call(unary_calls.Square(to(op.a)))
    match op:
        case ops.Add():
            found = _sum(op, to)
        case ops.Mul():
            found = _of_root(op, to)
        case _:
            found = None
    return found if found is not None else combine(CALLS[type(op)], op, to)


def _sum(op: ops.Add, to: Lowering) -> Value | None:
    """Return a sum by a call that does more than add; None where none takes it."""
    for x, other in ((op.a, op.b), (op.b, op.a)):
        number = number_for(other, x, to) if op.a.dtype.is_float else None
        if number is not None and (biased := with_bias(op, number, x, to)) is not None:
            return biased
    return summed(op, to)


def _of_root(op: ops.Mul, to: Lowering) -> Value | None:
    """Return 1 / sqrt(x) * y by one call, where no call before has taken the root; None for other products.

    Broadcast roots are taken before: the product would take them for each element.
    """
    for root, y in ((op.a, op.b), (op.b, op.a)):
        if isinstance(root.op, ops.Rsqrt) and to.uses[root] == 1 and root.shape == op.infer().shape:
            alike = to.float_of(root) is to.dtype and to.static(root) is None
            if alike and isinstance(to(root).op, unary_calls.Rsqrt):
                return combine(calls.Multiply, ops.Mul(root.op.x, y), to, input_tensor_a_activations=(FUSED["rsqrt"],))
    return None


@lowers(*LOGIC)
def logic(op: Binary, to: Lowering) -> Value:
    """Lower to logical calls for booleans, to bitwise calls for integers."""
    logical, bitwise = LOGIC[type(op)]
    return combine(logical if op.a.dtype is DType.bool else bitwise, op, to)


@lowers(ops.Div)
def divide(op: ops.Div, to: Lowering) -> Value:
    """Lower a division; integers divide towards zero, and 1 / b is a reciprocal."""
    if op.a.dtype.is_float and number_for(op.a, op.b, to) == 1.0:
        return to.call(unary_calls.Reciprocal(to(op.b)))
    return combine(calls.Div, op, to, rounding_mode="trunc" if op.a.dtype.is_integer else None)


@lowers(ops.FloorDiv)
def floor_divide(op: ops.FloorDiv, to: Lowering) -> Value:
    """Lower to a division with TTNN's own rounding down."""
    return combine(calls.Div, op, to, rounding_mode="floor")


@lowers(ops.Pow)
def power(op: ops.Pow, to: Lowering) -> Value:
    """Lower to calls of squares, roots and reciprocals; whole exponents become integers, which TTNN multiplies out."""
    exponent = number_for(op.b, op.a, to)
    if exponent == 1:
        return to(op.a)
    if exponent in POWERS and (op.a.dtype.is_float or exponent == 2):
        return to.call(POWERS[float(exponent)](_radicand(op.a, to) if exponent % 1 else to(op.a)))
    if exponent is not None:
        base = to(op.a) if op.a.dtype.is_float else to.tile(to(op.a))
        return to.call(calls.Pow(base, int(exponent) if exponent >= 0 and exponent % 1 == 0 else exponent))
    base = number_for(op.a, op.b, to) if op.a.dtype.is_float else None
    if base is not None and base > 0:
        return to.call(unary_calls.Rpow(to(op.b), base))
    return combine(calls.Pow, op, to)


def _radicand(x: Value, to: Lowering) -> Value:
    """Return x with -0 replaced by 0, the sum of -0 and 0, where x may hold -0.

    IEEE's root of -0 is -0, and the reciprocal of -0 is -inf; the powers of -0 are 0 and inf.
    """
    return to(x) if copysign(1.0, interval(x).low) > 0 else to.call(calls.Add(to(x), 0.0))


@lowers(ops.Where)
def where(op: ops.Where, to: Lowering) -> Value:
    """Lower a selection, all in one dtype; a value may be a number if the other operands have the result's shape."""
    if (written := row_written(op, to)) is not None:
        return written
    shape = op.infer().shape
    dtype = one_dtype(to, op.a, op.b)
    a = number_in(dtype, op.a) if calls.broadcast(op.condition.shape, op.b.shape) == shape else None
    b = number_in(dtype, op.b) if calls.broadcast(op.condition.shape, op.a.shape) == shape else None
    if a is not None and b is not None and (dtype.is_integer or op.condition.shape != shape):
        b = None
    operands = (
        in_dtype(to, op.condition, dtype),
        in_dtype(to, op.a, dtype) if a is None else a,
        in_dtype(to, op.b, dtype) if b is None else b,
    )
    return to.call(Where(*in_one_layout(to, *operands, tile=a is None and b is None)))


# ---------------------------------------------------------------- operands


def combine(kind: type[calls.BinaryCall], op: Binary, to: Lowering, **keywords: Any) -> Value:
    """Call `kind` on the operands of `op`: numbers where `kind` takes them (exchanged if that helps), else tensors."""
    first, second = number_for(op.a, op.b, to), number_for(op.b, op.a, to)
    if first is not None and kind in SWAPPED:
        return to.call(SWAPPED[kind](to(op.b), first, **keywords))
    if first is not None and kind.number_first:
        return to.call(kind(first, to(op.b), **keywords))
    if second is not None and kind.number_second:
        return to.call(kind(to(op.a), second, **keywords))
    dtype = one_dtype(to, op.a, op.b)
    a = in_dtype(to, op.a, dtype, first)
    b = in_dtype(to, op.b, dtype, second)
    return to.call(kind(*in_one_layout(to, a, b), **keywords))


def number_for(value: Value, other: Value, to: Lowering) -> float | None:
    """Return the number that may stand for `value`: one that fills it, where `other` has the result's shape."""
    if calls.broadcast(value.shape, other.shape) != other.shape or to.static(other) is not None:
        return None
    return number_in(to(other).dtype, value)


def number_in(dtype: DType, value: Value) -> float | None:
    """Return the number that fills `value`, as TTNN packs it beside a tensor of `dtype`; None for other values."""
    number = ops.number_of(value)
    return None if number is None else held(number, dtype)


def one_dtype(to: Lowering, *values: Value) -> DType:
    """Return the dtype in which call values meet: their own if they agree, else the device's dtype of the model's."""
    dtypes = {to(value).dtype for value in values if to.static(value) is None}
    return dtypes.pop() if len(dtypes) == 1 else to.device_dtype(values[0].type)


def in_dtype(to: Lowering, value: Value, dtype: DType, number: float | None = None) -> Value:
    """Return an operand as a tensor of `dtype`; a known `number` is uploaded as one element, for TTNN to broadcast."""
    static = to.static(value)
    if static is None:
        return to.cast(to(value), dtype)
    if number is not None and value.type.numel > 1:
        static = to.derive(ops.Full(TensorType(value.dtype, (1,) * value.type.rank), number))
    return to.upload(static, dtype)


def in_one_layout(to: Lowering, *operands: Value | float, tile: bool = False) -> tuple[Any, ...]:
    """Return operands whose tensors share a layout: TILE if the layouts differed, or if `tile` demands TILE."""
    layouts = {spec_of(operand).layout for operand in operands if isinstance(operand, Value)}
    if len(layouts) == 1 and not tile:
        return operands
    return tuple(to.tile(operand) if isinstance(operand, Value) else operand for operand in operands)
