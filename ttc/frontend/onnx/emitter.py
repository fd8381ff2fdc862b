"""The builder that table functions write to, which folds small constants and knows numbers when compiling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.narrow import overflows, widened
from ttc.frontend.onnx.tensors import is_literal, tensor_data
from ttc.guard.budget import LISTED, TABLE, check_table, within
from ttc.ir import Builder, Const, DType, Graph, Input, Op, TensorType, Value, Weight, Weights, operands_first
from ttc.ir.names import free_name
from ttc.ir.stand_in import stand_in
from ttc.ops.constant import LITERAL_LIMIT, is_known
from ttc.ops.expr import Expr, as_kind
from ttc.ops.facts import facts_of
from ttc.ops.folding import FOLD_LIMIT
from ttc.ops.torch_types import HELD, to_torch

UNCOMPUTED = frozenset({DType.u16, DType.u32, DType.u64, *HELD})  # torch moves these, but computes little in them


class Hidden(Refusal):
    """The refusal of a node because of another one, which is refused already."""


class NeedsValue(Refusal):
    """The refusal of a node until the values of the model's inputs are known."""


class Emitter:
    """Adds ops for one node after another; `opset`, `outputs` and `hint` are those of the current node.

    A call adds an op, or its result where the result is small and all operands are known: integers and
    booleans up to 1 MB, floats up to 64 elements. So shape arithmetic leaves no trace.
    """

    def __init__(self, weights: Mapping[str, Weight]):
        self.builder = Builder()
        self.weights = dict(weights)
        self.opset = 0
        self.outputs: tuple[str, ...] = ()
        self.drawn = 0  # random inputs so far
        self.needed: dict[str, None] = {}  # the inputs whose values would have helped
        self._stand_ins: set[Op] = set()
        self._runtime: set[Value] = set()  # what depends on an input
        self._computable: set[Value] = set()  # what `tensor` can compute from literals and small weights
        self._tensors: dict[Value, Tensor | None] = {}

    def __call__(self, op: Op) -> Any:
        operands = op.operands()
        if any(_is_computed_wide(value.dtype, op) for value in operands):
            return self._widened(op)
        if operands and all(is_known(value) for value in operands):
            match op:
                case (
                    ops.Reshape(x=Value(ops.Full(value=number)))
                    | ops.Expand(x=Value(ops.Full(value=number)))
                    | ops.Permute(x=Value(ops.Full(value=number)))
                    | ops.Slice(x=Value(ops.Full(value=number)))
                ):
                    return self.builder(ops.Full(op.infer(), number))  # type: ignore[arg-type]
            if self._foldable(op, operands) and (folded := ops.fold(op, self.builder)):
                return folded[0] if isinstance(folded, tuple) and len(folded) == 1 else folded
        return self._add(op)

    def _widened(self, op: Op) -> Any:
        """Compute in i64 an op on integers that torch computes little in; the results wrap as those integers do."""
        for value in op.operands():
            if value.dtype in UNCOMPUTED and not value.dtype.is_integer:
                raise Refusal(f"computes in {value.dtype}, which is not supported")
        results = widened(op, _is_computed_wide, self)
        return results[0] if len(results) == 1 else results

    def _add(self, op: Op) -> Any:
        results = self.builder.add(op)
        operands = op.operands()
        if any(value in self._runtime for value in operands):
            self._runtime.update(results)
        elif all(value in self._computable or self._is_small(value) for value in operands):
            self._computable.update(results)
        return results[0] if len(results) == 1 else results

    def input(self, type: TensorType, name: str) -> Expr:
        """Add a run-time input."""
        value = self.builder(Input(type, name), name)
        self._runtime.add(value)
        return Expr(value, self)

    def stand_in(self, type: TensorType, name: str) -> Expr:
        """Add an input in place of a value that could not be read."""
        value = stand_in(self.builder, type, name)
        self._runtime.add(value)
        self._stand_ins.add(value.op)
        return Expr(value, self)

    def is_constant(self, x: Expr) -> bool:
        """Return whether the expression depends on no run-time input (a literal, a weight, or computed from such)."""
        return x.value not in self._runtime

    def _is_small(self, value: Value) -> bool:
        return is_known(value) or (isinstance(value.op, Const) and value.type.numel <= LITERAL_LIMIT)

    def _foldable(self, op: Op, operands: tuple[Value, ...]) -> bool:
        types = op.result_types()
        if any(t.dtype in UNCOMPUTED for t in (*types, *(value.type for value in operands))):
            return False
        return all(t.numel <= LITERAL_LIMIT or (not t.dtype.is_float and t.bytes <= FOLD_LIMIT) for t in types)

    def constant(self, tensor: Tensor) -> Expr:
        """Add a known tensor."""
        return Expr(ops.constant(self.builder, tensor), self)

    def full(self, number: float, dtype: DType, shape: tuple[int, ...] = ()) -> Expr:
        """Fill a shape with one number, in `dtype`."""
        return Expr(self.builder(ops.Full(TensorType(dtype, shape), as_kind(number, dtype))), self)

    def wants(self, index: int) -> bool:
        """Return whether the model uses this output of the current node."""
        return index < len(self.outputs) and bool(self.outputs[index])

    def known(self, value: Any, kind: str, name: str) -> Any:
        """Return the numbers of a value needed when compiling: a tuple (`Ints`, `Numbers`) or one (`Int`, `Number`)."""
        if not isinstance(value, Expr):
            return value
        within(value.type.numel, LISTED, f"numbers as its {name}")
        tensor = self.tensor(value)
        if tensor is None:
            if not self._stand_ins.isdisjoint(_leaves(value.value)):
                raise Hidden(f"needs its {name} when compiling")
            self.needed.update(dict.fromkeys(_inputs(value.value)))
            raise NeedsValue(f"needs its {name} when compiling; it is computed from {', '.join(_sources(value.value))}")
        if kind in ("Int", "Ints") and tensor.is_floating_point():
            raise Refusal(f"needs whole numbers as its {name}, got {value.type}")
        items = tensor.flatten().tolist()
        if kind in ("Ints", "Numbers"):
            return tuple(items)
        if len(items) != 1:
            raise Refusal(f"needs one number as its {name}, got {value.type}")
        return items[0]

    def tensor(self, x: Expr) -> Tensor | None:
        """Return the tensor that x holds in every run, or None. Small weights count: here they say how to compute."""
        for each in operands_first([x.value], lambda item: item not in self._tensors):
            self._tensors[each] = self._find_tensor(each)
        return self._tensors[x.value]

    def _find_tensor(self, value: Value) -> Tensor | None:
        if is_known(value):
            return ops.known(value, self.builder) if value.type.numel <= TABLE else None
        if isinstance(value.op, Const):
            weight = self.weights[value.op.ref]
            return tensor_data(weight) if value.type.numel <= LITERAL_LIMIT and weight.read else None
        if value not in self._computable or value.type.bytes > FOLD_LIMIT:
            return None
        operands = {operand: self._tensors[operand] for operand in value.op.operands()}
        if any(tensor is None for tensor in operands.values()):
            return None
        return ops.evaluate_op(value.op, operands.__getitem__)[value.index]  # type: ignore[arg-type]

    def initialiser(self, name: str, weight: Weight) -> Expr:
        """Add a model's constant: a literal if small and integer or one number, else a weight by reference."""
        if is_literal(weight.type) and weight.read and weight.type.dtype not in (DType.c64, *HELD):
            return self.constant(tensor_data(weight))
        return Expr(self.builder(Const(weight.type, name)), self)

    def add_weight(self, name: str, weight: Weight) -> Expr:
        """Add a constant met on the way (in a branch, or of a Constant node), under a reference not yet taken."""
        ref = free_name(name, self.weights, ".")
        self.weights[ref] = weight
        return self.initialiser(ref, weight)

    def finish(self, outputs: Iterable[tuple[str, Value]]) -> Graph:
        """Return the graph, with the weights that its ops refer to."""
        self.builder.weights = Weights({**self.weights, **self.builder.weights})
        return self.builder.finish(outputs)

    def arange(self, count: int, dtype: DType = DType.i64) -> Expr:
        check_table(count)
        return self.constant(torch.arange(count, dtype=to_torch(dtype)))


def _is_computed_wide(dtype: DType, op: Op) -> bool:
    """Return whether `op` on this dtype is one on i64 and a cast."""
    if dtype in UNCOMPUTED:
        return not isinstance(op, ops.Cast) and not facts_of(op).moves
    return overflows(dtype, op)


VALUE_LIMIT = 1024
"""The largest number of elements of an input that decides shapes: a larger input is data."""


def _inputs(value: Value) -> list[str]:
    """Name the inputs that would make `value` known, were their own values known; [] if that is not enough."""
    leaves = _leaves(value)
    inputs = [op.name for op in leaves if isinstance(op, Input) and op.type.numel <= VALUE_LIMIT]
    return inputs if len(inputs) == len(leaves) else []


def _sources(value: Value) -> list[str]:
    """Name the run-time inputs and weights that a value depends on, in order."""
    return sorted(
        f"the input {op.name!r}" if isinstance(op, Input) else f"the weight {op.ref!r}" for op in _leaves(value)
    )


def _leaves(value: Value) -> list[Input | Const]:
    """List the run-time inputs and weights that a value depends on."""
    found: dict[str, Input | Const] = {}
    pending, seen = [value], set()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        match current.op:
            case Input(name=name) | Const(ref=name) if not is_known(current):
                found[f"{current.op.mnemonic} {name}"] = current.op
        pending.extend(current.op.operands())
    return list(found.values())
