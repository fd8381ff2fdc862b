"""`Call`: a TTNN function call as an op, and the configurations that calls carry."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from math import isfinite
from typing import Any, ClassVar, Literal, TypeVar

from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, Op, Spec, Value
from ttc.ir.graph import field_names

PLAIN_FLOATS = frozenset({DType.bf16, DType.f32})
BLOCK_FORMATS = frozenset({DType.bfp8, DType.bfp4})
FLOATS = PLAIN_FLOATS | BLOCK_FORMATS
INTEGERS = frozenset({DType.i32, DType.u32, DType.u16})


class MathFidelity(Enum):
    """Passes that the matrix engine makes over its operands' mantissas."""

    LoFi = 0
    HiFi2 = 2
    HiFi3 = 3
    HiFi4 = 4


@dataclass(frozen=True)
class ComputeKernelConfig:
    """Arithmetic of a call's sums; ttc's default is the most exact that is right on every card, sums kept in fp32."""

    math_fidelity: MathFidelity = MathFidelity.HiFi3
    math_approx_mode: bool = False
    fp32_dest_acc_en: bool = True
    packer_l1_acc: bool = True


EXACT = ComputeKernelConfig()

COMPUTE_FIELDS = ("compute_kernel_config", "compute_config")
"""TTNN's names of the keyword that states a call's arithmetic: convolutions call theirs otherwise."""


@dataclass(frozen=True)
class CoreGrid:
    """The cores a call may use: x columns, y rows."""

    y: int
    x: int


FusedFunction = Literal["RELU", "GELU", "GELU_TANH", "SILU", "TANH", "SIGMOID", "RSQRT"]
"""TTNN's UnaryOpType names of the elementwise functions that other calls may do on the way."""


@dataclass(frozen=True)
class UnaryWithParam:
    """An elementwise function fused into another call, by TTNN's UnaryOpType name."""

    op_type: FusedFunction
    param: float | None = None


FUSED = {
    "relu": UnaryWithParam("RELU"),
    "gelu": UnaryWithParam("GELU", 0.0),
    "gelu_tanh": UnaryWithParam("GELU_TANH"),
    "silu": UnaryWithParam("SILU"),
    "tanh": UnaryWithParam("TANH"),
    "sigmoid": UnaryWithParam("SIGMOID"),
    "rsqrt": UnaryWithParam("RSQRT"),
}
"""Activations that run inside another call's device program; GELU's number asks for the exact form."""


@dataclass(frozen=True)
class Workspace:
    """Memory that a call needs besides its operands and results, in bytes per core.

    The buffers in L1 come in the order of `l1`, then the results. Each of the first `passing` goes once the next has
    come, the others with the call's end. Circular buffers lie below all of these but results that come `apart`, once
    the program is over.
    """

    circular_buffers: int = 0
    l1: tuple[int, ...] = ()
    l1_small: int = 0
    passing: int = 0
    apart: bool = False

    @classmethod
    def in_turn(cls, circular_buffers: int, l1: tuple[int, ...]) -> Workspace:
        """Return the workspace of a call whose programs each read what the one before has made."""
        return cls(circular_buffers, l1, passing=max(0, len(l1) - 1))

    @property
    def buffers(self) -> int:
        """Return the most bytes that buffers in L1 take at once."""
        return max(self.beside_results, *map(sum, pairwise((*self.l1[: self.passing + 1], 0))), 0)

    @property
    def beside_results(self) -> int:
        """Return the bytes of the buffers in L1 that are there when the results come."""
        return sum(self.l1[self.passing :])

    def beyond(self, made: int) -> int:
        """Return the most bytes that a call takes beyond its results, of `made` bytes in L1."""
        return max(self.beside_results, self.buffers - made)


@dataclass(frozen=True)
class Dispatch:
    """The number of device programs that TTNN runs for a call, and of those among them that only convert a tensor.

    Conversions change a tensor's layout, dtype or memory and compute nothing: tilize, untilize, typecast, copy, and
    moves between interleaved and sharded memory. The rules of the calls were read off a mock card with ttnn 0.81.1.
    """

    programs: int = 1
    conversions: int = 0

    def __add__(self, other: Dispatch) -> Dispatch:
        return Dispatch(self.programs + other.programs, self.conversions + other.conversions)

    def __rmul__(self, count: int) -> Dispatch:
        return Dispatch(count * self.programs, count * self.conversions)


NO_PROGRAM = Dispatch(0)
ONE_PROGRAM = Dispatch()
ONE_CONVERSION = Dispatch(1, 1)


class Call(Op, abstract=True):
    """One TTNN call. Fields are TTNN's keyword names with TTNN's defaults; operands come first, positionally.

    How a call accumulates is stated in every call, and by default exact: TTNN's own default is another on each card.

    `flexible` calls run in TILE or ROW_MAJOR, all tensors in the same layout, and keep it.
    `moves`: it moves, converts or makes room for elements and computes none, or marks what lies beside them.
    `needs_device` calls take the device as a keyword. A call whose result the planner may place has a
    `memory_config` field.
    """

    positional: ClassVar[bool] = True
    flexible: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    needs_device: ClassVar[bool] = False

    @property
    def compute_field(self) -> str | None:
        """Return the name of the field that states the arithmetic of the call's sums; None if the call has no such."""
        return next((name for name in COMPUTE_FIELDS if hasattr(self, name)), None)

    @property
    def compute(self) -> ComputeKernelConfig | None:
        """Return the arithmetic of the call's sums; None if the call states none."""
        return getattr(self, self.compute_field) if self.compute_field else None

    def alias(self) -> Value | None:
        """Return the operand whose buffer the result shares (a view, or in place); None for a buffer of its own."""
        return None

    def alias_of(self, index: int) -> Value | None:
        """Return `alias` of one result, for calls whose results lie in different buffers."""
        return self.alias()

    def workspace(self, target: Target) -> Workspace:
        """Return the circular buffers and the L1 that the call takes while it runs on `target`."""
        return Workspace()

    def dispatch(self, target: Target) -> Dispatch:
        """Count the device programs that TTNN runs for the call: none for a view, one where a call does not say."""
        return NO_PROGRAM if self.alias() is not None and not self.overwrites() else ONE_PROGRAM


def spec_of(value: Value) -> Spec:
    """Return a value's spec; calls have no other operands."""
    assert isinstance(value.type, Spec), f"%{value.name} has no spec"
    return value.type


def buffer_of(value: Value) -> Value:
    """Return the value whose buffer `value` lies in: `value` itself unless it is a view, or written in place."""
    while isinstance(value.op, Call):
        viewed = value.op.alias_of(value.index)
        if viewed is None:
            return value
        value = viewed
    return value


def kind_of(call: Call, without: str = "") -> Hashable:
    """Return the key of calls that TTNN treats alike: the function, the attributes, and the operands' specs.

    The field named `without` is left out.
    """

    def item(field_value: Any) -> Hashable:
        if isinstance(field_value, Value):
            return field_value.type
        if isinstance(field_value, tuple) and field_value and isinstance(field_value[0], Value):
            return tuple(part.type for part in field_value)
        return field_value

    own = call.__dict__
    return (type(call), *[item(own[name]) for name in field_names(type(call)) if name != without])


Asked = TypeVar("Asked", bound=Call)
Answer = TypeVar("Answer")


def once_a_kind(ask: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """Return `ask` for a program in which calls are alike: a function that asks of one call of each kind."""
    known: dict[Hashable, Answer] = {}

    def answer(call: Asked) -> Answer:
        kind = kind_of(call)
        if kind not in known:
            known[kind] = ask(call)
        return known[kind]

    return answer


def accept(value: Value | None, layouts: Layout | None, dtypes: frozenset[DType], what: str) -> None:
    """Refuse `value` (called `what` in the message) unless its dtype is among `dtypes` and its layout is `layouts`.

    `layouts` None accepts both layouts. Block formats exist in TILE only.
    """
    if value is None:
        return
    spec = spec_of(value)
    if spec.dtype not in dtypes:
        raise Refusal(f"{what} is {spec.dtype}; accepted are {', '.join(sorted(map(str, dtypes)))}")
    if layouts is not None and spec.layout is not layouts:
        raise Refusal(f"{what} is in {spec.layout.name} layout; accepted is {layouts.name}")


def accept_head(size: int) -> None:
    """Refuse heads of a size that is no multiple of the tile's."""
    if size % TILE:
        raise Refusal(f"head dim {size} is no multiple of the tile ({TILE})")


def accept_number(number: float, dtype: DType) -> None:
    """Refuse a number that stands for a tensor of an integer `dtype` which cannot hold it.

    TTNN computes with such a number in fp32, or refuses it, call by call.
    """
    if not dtype.is_integer:
        return
    low, high = dtype.limits
    if not (isfinite(number) and number == int(number) and low <= number <= high):
        raise Refusal(f"a tensor of {dtype} cannot hold the number {number}")


def one_layout(*values: Value | None) -> Layout:
    """Return the layout that all present values share; Refusal where the layouts differ."""
    layouts = {spec_of(value).layout for value in values if value is not None}
    if len(layouts) != 1:
        raise Refusal("operands are in different layouts")
    return layouts.pop()
