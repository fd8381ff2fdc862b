"""Elementwise calls with two operands, and arithmetic: both tensors, or a tensor and a number; shapes broadcast."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Literal

from ttc.calls.call import (
    FLOATS,
    ONE_CONVERSION,
    ONE_PROGRAM,
    Call,
    Dispatch,
    UnaryWithParam,
    Workspace,
    accept,
    accept_number,
    one_layout,
    spec_of,
)
from ttc.calls.target import Target
from ttc.calls.unary import NUMBERS, SIGNED, tiles
from ttc.errors import Refusal, TypeRuleError
from ttc.ir import DType, Layout, MemoryConfig, Spec, Value, types

ORDERED = FLOATS | {DType.i32, DType.u32}


@dataclass(frozen=True)
class BinaryCall(Call, abstract=True):
    """y[i] = f(a[i], b[i]); the result has the first tensor's dtype, layout and memory.

    Where `number_second` says so, b may be a number that stands for a tensor full of it (an integer for
    integer tensors); `number_first` calls take one for a as well. Floating dtypes may mix in calls that `mix`.
    Elementwise functions of the operands and of the result run in the same device program, and the result may go into
    a given tensor.
    """

    input_tensor_a: Value | float
    input_tensor_b: Value | float
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    output_tensor: Value | None = None
    activations: tuple[UnaryWithParam, ...] = ()
    input_tensor_a_activations: tuple[UnaryWithParam, ...] = ()
    input_tensor_b_activations: tuple[UnaryWithParam, ...] = ()
    dtypes: ClassVar[frozenset[DType]] = NUMBERS
    number_first: ClassVar[bool] = False
    number_second: ClassVar[bool] = True
    mix: ClassVar[bool] = True
    flexible: ClassVar[bool] = True

    @property
    def tensors(self) -> tuple[Value, ...]:
        """Return the operands that are tensors, one or two."""
        return tuple(x for x in (self.input_tensor_a, self.input_tensor_b) if isinstance(x, Value))

    def infer(self) -> Spec:
        return written(binary_spec(self), self.output_tensor)

    def alias(self) -> Value | None:
        return self.output_tensor

    def overwrites(self) -> tuple[Value, ...]:
        return (self.output_tensor,) if self.output_tensor else ()

    def result_dtype(self) -> DType:
        """Return the dtype of the result."""
        return self.tensors[0].dtype

    def workspace(self, target: Target) -> Workspace:
        """Return two pages for each operand and the result, two more for a broadcast, one for each with functions."""
        fused = bool(self.input_tensor_a_activations) + bool(self.input_tensor_b_activations)
        return Workspace(circular_buffers=tiles(8 + fused, self.widest_page()))

    def widest_page(self) -> Spec:
        """Return the spec of the operand with the most bytes per element, in the result's dtype if that has more."""
        spec, result = widest(self.tensors), self.result_dtype()
        return replace(spec, dtype=result) if result.bytes > spec.dtype.bytes else spec


def written(spec: Spec, tensor: Value | None) -> Spec:
    """Return the spec of a result: the spec of `tensor` where the result goes into one, after checking that it fits."""
    if tensor is None:
        return spec
    into = spec_of(tensor)
    if (into.shape, into.dtype, into.layout) != (spec.shape, spec.dtype, spec.layout) or into.layout is not Layout.TILE:
        raise Refusal(f"a result {spec} cannot go into a tensor {into}")
    return into


def binary_spec(call: BinaryCall) -> Spec:
    """Return the result's spec, after checking the operands."""
    tensors = call.tensors
    for operand, allowed in ((call.input_tensor_a, call.number_first), (call.input_tensor_b, call.number_second)):
        if not isinstance(operand, Value) and not allowed:
            raise Refusal(f"{call.mnemonic} takes no number in that place")
    if not tensors:
        raise Refusal(f"{call.mnemonic} needs a tensor")
    for tensor in tensors:
        accept(tensor, None, call.dtypes, "an operand")
    for operand in (call.input_tensor_a, call.input_tensor_b):
        if not isinstance(operand, Value):
            accept_number(operand, tensors[0].dtype)
    layout = one_layout(*tensors)
    mixed = len({tensor.dtype for tensor in tensors}) > 1
    if mixed and not (call.mix and all(tensor.dtype.is_float for tensor in tensors)):
        raise Refusal(f"{call.mnemonic} cannot mix {' and '.join(str(tensor.dtype) for tensor in tensors)}")
    shape = broadcast(*(tensor.shape for tensor in tensors))
    return Spec(call.result_dtype(), shape, layout, call.memory_config or spec_of(tensors[0]).memory)


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numpy broadcast of shapes; Refusal where the shapes do not broadcast."""
    try:
        return types.broadcast(*shapes)
    except TypeRuleError as error:
        raise Refusal(str(error)) from None


def widest(tensors: tuple[Value, ...]) -> Spec:
    """Return the spec with the most bytes per element."""
    return max(map(spec_of, tensors), key=lambda spec: spec.dtype.bytes)


@dataclass(frozen=True)
class CastingCall(BinaryCall, abstract=True):
    """A call whose device program converts the result to `dtype`, if one is given, as a typecast would."""

    _: KW_ONLY
    dtype: DType | None = None

    def result_dtype(self) -> DType:
        return self.dtype or super().result_dtype()


class Add(CastingCall, name="ttnn.add"):
    """a + b."""

    number_first = True


class Subtract(CastingCall, name="ttnn.subtract"):
    """a - b."""

    number_first = True


class Multiply(CastingCall, name="ttnn.multiply"):
    """a * b."""


@dataclass(frozen=True)
class Div(BinaryCall, name="ttnn.div"):
    """a / b; `rounding_mode` "trunc" or "floor" keeps integers, integers without a mode give f32."""

    _: KW_ONLY
    rounding_mode: Literal["trunc", "floor"] | None = None
    dtypes: ClassVar[frozenset[DType]] = SIGNED
    number_first: ClassVar[bool] = True

    def result_dtype(self) -> DType:
        dtype = self.tensors[0].dtype
        return DType.f32 if dtype.is_integer and self.rounding_mode is None else dtype

    def dispatch(self, target: Target) -> Dispatch:
        """Count the quotient, and the rounding of floats."""
        return Dispatch(1 + (self.rounding_mode is not None and self.tensors[0].dtype.is_float))


@dataclass(frozen=True)
class Pow(BinaryCall, name="ttnn.pow"):
    """a to the b; integers take a number b >= 0 and are in TILE layout."""

    mix: ClassVar[bool] = False

    def infer(self) -> Spec:
        spec = binary_spec(self)
        if spec.dtype.is_float:
            return spec
        if isinstance(self.input_tensor_b, Value):
            raise Refusal("an integer tensor cannot be raised to a tensor")
        if self.input_tensor_b < 0:
            raise Refusal("an integer tensor cannot be raised to a negative number")
        if spec.layout is not Layout.TILE:
            raise Refusal("an integer tensor must be in TILE layout to be raised to a number")
        return spec

    def dispatch(self, target: Target) -> Dispatch:
        """Count the power; the first power of floats is a copy."""
        return ONE_CONVERSION if self.input_tensor_b == 1 and self.tensors[0].dtype.is_float else ONE_PROGRAM

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether the call runs in either layout: integers need TILE."""
        return self.tensors[0].dtype.is_float


class Maximum(BinaryCall, name="ttnn.maximum"):
    """The larger of a and b."""

    dtypes = ORDERED
    mix = False


class Minimum(BinaryCall, name="ttnn.minimum"):
    """The smaller of a and b."""

    dtypes = ORDERED
    mix = False


class Remainder(BinaryCall, name="ttnn.remainder"):
    """a - b * floor(a / b): the sign of b."""

    dtypes = ORDERED
    mix = False


class Fmod(BinaryCall, name="ttnn.fmod"):
    """a - b * trunc(a / b): the sign of a."""

    dtypes = SIGNED
    mix = False


class Atan2(BinaryCall, name="ttnn.atan2"):
    """The angle of the point (b, a), in radians: torch's atan2(a, b)."""

    dtypes = FLOATS
    number_second = False
    mix = False


class Gcd(BinaryCall, name="ttnn.gcd"):
    """The greatest common divisor of a and b."""

    dtypes = frozenset({DType.i32})
    number_second = False
