"""The table of aten ops: functions whose signatures mirror aten's, found by aten name.

A function takes the `ExportBuilder`, then what the aten op takes (tensors as expressions; dtypes as `DType`s),
and gives an expression or a tuple of them. Functions only rename; arithmetic stands in `compose`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.narrow import widen
from ttc.guard import budget
from ttc.ir import Builder, DType, Rules, TensorType, Value, Weights, operands_first
from ttc.ops.expr import Expr, as_kind, constant
from ttc.ops.torch_types import FROM_TORCH, to_torch

Number = bool | int | float
Result = Expr | tuple[Expr, ...] | list[Expr]
Function = Callable[..., Result]
Reading = TypeVar("Reading", bound=Function)
Entry = TypeVar("Entry")

TABLE: dict[str, Function] = {}
"""Functions by aten name, with an overload (`max.dim`) or without (`max`: every overload not listed)."""

REFUSED: dict[str, str] = {}
"""Reasons why ops are refused, by aten name without overload."""

OF_COMPLEX: set[str] = set()
"""Ops on complex numbers alone, which have a table of their own."""


def aten(*names: str) -> Callable[[Reading], Reading]:
    """Register a function under aten names."""

    def register(function: Reading) -> Reading:
        for name in names:
            assert name not in TABLE, f"two functions read aten.{name}"
            TABLE[name] = function
        return function

    return register


def refuse(reason: str, *names: str) -> None:
    """Register a reason why ops cannot be read."""
    REFUSED.update(dict.fromkeys(names, reason))


def function_for(target: torch._ops.OpOverload) -> Function:
    """Find the function that reads an op; Refusal with the op's name if there is none."""
    function = named(TABLE, target)
    if function is not None:
        return function
    packet = _packet(target)
    if packet in REFUSED:
        raise Refusal(f"{target} is not supported: {REFUSED[packet]}")
    raise Refusal(f"{target} is not supported")


def named(table: dict[str, Entry], target: torch._ops.OpOverload) -> Entry | None:
    """Find the entry for an op in a table by aten names: for the op's overload, else for all overloads."""
    packet = _packet(target)
    return table.get(f"{packet}.{target._overloadname}") or table.get(packet)


def binds(function: Function, args: tuple, keywords: dict[str, Any]) -> bool:
    """Return whether a function takes these operands, each of its kind: an overload may not fit."""
    signature, kinds = _signature(function)
    try:
        bound = signature.bind(None, *args, **keywords).arguments
    except TypeError:
        return False
    return not any(_misplaced(value, kinds[name]) for name, value in bound.items())


def _misplaced(value: object, kinds: set[str]) -> bool:
    """Return whether a tensor stands where a number is read, or a dtype where none is."""
    if isinstance(value, DType):
        return "list[int]" in kinds
    return isinstance(value, Expr) and kinds <= {"Number", "int", "float", "bool", "None"}


@cache
def _signature(function: Function) -> tuple[inspect.Signature, dict[str, set[str]]]:
    """Return a function's signature, and the kinds of each parameter by its annotation."""
    signature = inspect.signature(function)
    return signature, {name: set(str(each.annotation).split(" | ")) for name, each in signature.parameters.items()}


def refused(target: torch._ops.OpOverload) -> bool:
    """Return whether there is a reason of its own not to read an op."""
    return _packet(target) in REFUSED


def is_listed(target: torch._ops.OpOverload) -> bool:
    """Return whether the table lists an op: to be read or to be refused."""
    return named(TABLE, target) is not None or refused(target) or _packet(target) in OF_COMPLEX


def _packet(target: torch._ops.OpOverload) -> str:
    return target._schema.name.removeprefix("aten::")


READ = Rules(ops.fold, widen)
"""The normal form of programs as they are read."""


class ExportBuilder(Builder):
    """A builder that evaluates known values at once, and holds torch's declarations for the node being read.

    `result` is the declared type of the node's result (the first one's, if there are several), `read` the numbers of
    the results that the program reads.
    """

    result: TensorType
    read: frozenset[int] = frozenset()

    def __init__(self, weights: Weights | None = None):
        super().__init__(weights, normal=READ)
        self.drawn = 0  # random inputs so far
        self.static: dict[Value, Tensor | None] = {}  # what `static` has found

    def wants(self, number: int) -> bool:
        """Return whether the program reads this result of the node."""
        return number in self.read

    def constant(self, tensor: Tensor) -> Expr:
        """Add a known tensor."""
        return constant(self, tensor)


def static(b: ExportBuilder, x: Expr) -> Tensor | None:
    """Return the tensor that x is whatever the inputs and weights are (a mask made of positions), or None.

    Unlike `ops.known`, values that are too large to be folded are evaluated too.
    """
    for each in operands_first([x.value], lambda value: value not in b.static):
        b.static[each] = _static(b, each)
    return b.static[x.value]


def _static(b: ExportBuilder, x: Value) -> Tensor | None:
    found = ops.known(x, b)
    operands = x.op.operands()
    if found is None and operands and x in b.constants and x.type.numel <= budget.TABLE:
        tensors = {operand: b.static[operand] for operand in operands}
        if all(tensor is not None for tensor in tensors.values()):
            found = ops.evaluate_op(x.op, tensors.__getitem__)[x.index]  # type: ignore[arg-type]
    return found


@cache
def _example(dtype: DType, ranked: bool) -> torch.Tensor:
    return torch.empty((1,) if ranked else (), dtype=to_torch(dtype), device="meta")


def promoted(a: Expr | Number, b: Expr | Number) -> DType:
    """Return the dtype in which torch computes on two operands (by rank: tensors, then 0-d tensors, then numbers)."""
    examples: list[Any] = [_example(x.dtype, x.rank > 0) if isinstance(x, Expr) else x for x in (a, b)]
    return FROM_TORCH[torch.result_type(examples[0], examples[1])]


def cast(b: ExportBuilder, x: Expr | Number, dtype: DType) -> Expr:
    """Convert an expression or Python number to `dtype`; nothing is added where the dtype is already that."""
    return x.cast(dtype) if isinstance(x, Expr) else full(b, (), x, dtype)


def full(b: ExportBuilder, shape: tuple[int, ...], value: Number, dtype: DType) -> Expr:
    """Fill a shape with one number, as a number of `dtype`'s own kind."""
    return Expr(b(ops.Full(TensorType(dtype, tuple(shape)), as_kind(value, dtype))), b)


def together(b: ExportBuilder, x: Expr | Number, y: Expr | Number) -> tuple[Expr, Expr]:
    """Convert both operands to the dtype that torch promotes them to."""
    dtype = promoted(x, y)
    return cast(b, x, dtype), cast(b, y, dtype)
