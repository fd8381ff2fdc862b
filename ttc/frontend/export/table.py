"""The table of aten ops: functions whose signatures mirror aten's, found by aten name.

A function takes the `ExportBuilder`, then what the aten op takes (tensors as `Value`s; dtypes as `DType`s),
and gives a value or a tuple of values. It only renames; arithmetic stands in `compose`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.ir import Builder, Const, DType, Op, TensorType, Value
from ttc.ops.torch_types import FROM_TORCH, to_torch

Number = bool | int | float
Result = Value | tuple[Value, ...] | list[Value]
Function = Callable[..., Result]

TABLE: dict[str, Function] = {}
"""By aten name, with an overload (`max.dim`) or without (`max`: every overload not listed)."""

REFUSED: dict[str, str] = {}
"""Why ops are refused, by aten name without overload."""


def aten(*names: str) -> Callable[[Function], Function]:
    """Register a function under aten names."""

    def register(function: Function) -> Function:
        for name in names:
            assert name not in TABLE, f"two functions read aten.{name}"
            TABLE[name] = function
        return function

    return register


def refuse(reason: str, *names: str) -> None:
    """Register why ops cannot be read."""
    REFUSED.update(dict.fromkeys(names, reason))


def function_for(target: torch._ops.OpOverload) -> Function:
    """The function that reads an op; Refusal with its name if there is none."""
    packet, overload = target._schema.name.removeprefix("aten::"), target._overloadname
    function = TABLE.get(f"{packet}.{overload}") or TABLE.get(packet)
    if function is not None:
        return function
    if packet in REFUSED:
        raise Refusal(f"{target} is not supported: {REFUSED[packet]}")
    raise Refusal(f"there is no reading of {target}")


class ExportBuilder(Builder):
    """A builder that evaluates what is known at once, and knows what torch says of the node being read.

    `result` is the declared type of the node's result (the first one's, if there are several).
    """

    result: TensorType

    def add(self, op: Op, names: tuple[str, ...] = ()) -> tuple[Value, ...]:
        operands = op.operands()
        if operands and all(map(is_known, operands)):
            folded = ops.fold(op, self)
            if folded is not None:
                return folded if isinstance(folded, tuple) else (folded,)
        return super().add(op, names)


def is_known(value: Value) -> bool:
    """Whether a value is a number or small table of the program itself, not a weight."""
    match value.op:
        case ops.Full() | ops.Literal():
            return True
        case Const(ref=ref):
            return ref.startswith("literal.")
    return False


@cache
def _example(dtype: DType, ranked: bool) -> torch.Tensor:
    return torch.empty((1,) if ranked else (), dtype=to_torch(dtype), device="meta")


def promoted(a: Value | Number, b: Value | Number) -> DType:
    """The dtype in which torch computes on two operands (its rule: tensors, then 0-d tensors, then numbers)."""
    examples = [_example(x.dtype, x.type.rank > 0) if isinstance(x, Value) else x for x in (a, b)]
    return FROM_TORCH[torch.result_type(*examples)]


def cast(b: Builder, x: Value | Number, dtype: DType) -> Value:
    """A value or Python number in `dtype`; nothing is added where it is already so."""
    if isinstance(x, Value):
        return x if x.dtype is dtype else b(ops.Cast(x, dtype))
    return full(b, (), x, dtype)


def full(b: Builder, shape: tuple[int, ...], value: Number, dtype: DType) -> Value:
    """One number everywhere, as a number of `dtype`'s own kind."""
    kind: Callable[[Any], Number] = {"bool": bool, "float": float}.get(dtype.kind, int)
    return b(ops.Full(TensorType(dtype, tuple(shape)), kind(value)))


def together(b: Builder, x: Value | Number, y: Value | Number) -> tuple[Value, Value]:
    """Both operands in the dtype that torch promotes them to."""
    dtype = promoted(x, y)
    return cast(b, x, dtype), cast(b, y, dtype)
