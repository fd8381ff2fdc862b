"""ONNX sequences and optionals that a graph makes and takes apart again: they leave no trace in the program."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Int, Ints, onnx_op
from ttc.guard.budget import LISTED, within
from ttc.ir import DType
from ttc.ops.expr import Expr, concat


@dataclass(frozen=True)
class Sequence:
    """Tensors in order, each its own value of the program."""

    items: tuple[Expr, ...]


TAKE_SEQUENCES = (
    "ConcatFromSequence", "Identity", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceAt",
    "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap",
)  # fmt: skip


@onnx_op()
def SequenceEmpty(b: Emitter, *, dtype=None) -> Sequence:
    return Sequence(())


@onnx_op()
def SequenceConstruct(b: Emitter, *xs: Expr) -> Sequence:
    return Sequence(xs)


def _items(sequence: Any) -> tuple[Expr, ...]:
    if not isinstance(sequence, Sequence):
        raise Refusal("takes a sequence, got a tensor")
    return sequence.items


def _place(position: int, count: int) -> int:
    if not -count <= position < max(count, 1):
        raise Refusal(f"position {position} is not in a sequence of {count}")
    return position % count if count else 0


@onnx_op()
def SequenceAt(b: Emitter, sequence: Any, position: Int) -> Expr:
    items = _items(sequence)
    if not items:
        raise Refusal("takes an item of an empty sequence")
    return items[_place(position, len(items))]


@onnx_op()
def SequenceErase(b: Emitter, sequence: Any, position: Int = -1) -> Sequence:
    items = _items(sequence)
    place = _place(position, len(items))
    return Sequence((*items[:place], *items[place + 1 :]))


@onnx_op()
def SequenceInsert(b: Emitter, sequence: Any, x: Expr, position: Int | None = None) -> Sequence:
    """Insert a tensor, at the end by default."""
    items = _items(sequence)
    place = len(items) if position in (None, len(items)) else _place(position, len(items))
    return Sequence((*items[:place], x, *items[place:]))


@onnx_op()
def SequenceLength(b: Emitter, sequence: Any) -> Expr:
    return b.full(len(_items(sequence)), DType.i64)


@onnx_op()
def SplitToSequence(b: Emitter, x: Expr, split: Ints | None = None, *, axis=0, keepdims=1) -> Sequence:
    """Split x into chunks of the given sizes (one number: all but the last of that size), by default of size 1."""
    axis = axis_of(axis, x.rank)
    size = x.shape[axis]
    single = split is None
    if split is None or len(split) == 1:
        chunk = 1 if split is None else split[0]
        within(len(range(0, size, chunk)), LISTED, "parts of a tensor")
        split = tuple(min(chunk, size - start) for start in range(0, size, chunk))
    if sum(split) != size:
        raise Refusal(f"the sizes {list(split)} do not add up to {size}")
    ends = accumulate(split)
    parts = [x.part(axis, end - count, end) for count, end in zip(split, ends, strict=True)]
    if single and not keepdims:
        parts = [part.reshape(*x.shape[:axis], *x.shape[axis + 1 :]) for part in parts]
    return Sequence(tuple(parts))


@onnx_op()
def ConcatFromSequence(b: Emitter, sequence: Any, *, axis, new_axis=0) -> Expr:
    items = _items(sequence)
    if not items:
        raise Refusal("joins an empty sequence")
    axis = axis_of(axis, items[0].rank + new_axis)
    if new_axis:
        items = tuple(x.reshape(*x.shape[:axis], 1, *x.shape[axis:]) for x in items)
    return concat(items, axis)


@onnx_op()
def Optional(b: Emitter, x: Any = None, *, type=None) -> Any:
    if x is None:
        raise Refusal("makes an optional without an element")
    return x


@onnx_op()
def OptionalHasElement(b: Emitter, x: Any = None) -> Expr:
    return b.full(x is not None, DType.bool)


@onnx_op()
def OptionalGetElement(b: Emitter, x: Any) -> Any:
    return x
