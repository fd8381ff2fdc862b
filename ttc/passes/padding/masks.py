"""True lengths and masks as values of a program, each made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from math import prod

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.ir import Builder, DType, Input, TensorType, Value
from ttc.ir.lengths import Atom, Length, Quotient
from ttc.ops.padding.abstract import AbstractValue, Factor

Slot = tuple[int, Factor | None]
"""A dimension and one of the dimension's factors; None for a dimension that a mask does not depend on."""


class Masks:
    """The lengths that a program takes, i64[samples] each, and the values computed from the lengths so far."""

    def __init__(self, builder: Builder, limits: Mapping[str, int], samples: int, taken: set[str]):
        self.names = {name: _free(name, taken) for name in limits}
        self._builder, self._samples = builder, samples
        self._inputs: dict[str, Value] = {}
        self._lengths: dict[Length, Value] = {}
        self._shaped: dict[tuple[Length, tuple[int, ...]], Value] = {}
        self._conditions: dict[object, Value] = {}
        self._masked: dict[tuple[Value, tuple[int, ...], str], Value] = {}

    def add_inputs(self) -> None:
        """Put the inputs into the program."""
        for name, chosen in self.names.items():
            self._inputs[name] = self._builder(Input(TensorType(DType.i64, (self._samples,)), chosen), chosen)

    def length(self, length: Length, beside: AbstractValue) -> Value:
        """Give the true length, one number or one for each sample, in a shape that broadcasts to the value `beside`."""
        seen = (_batch(beside),) if self._samples > 1 and length.terms else ()
        slots = _slots(beside, seen)
        return self._together(self._at(length, self._of_samples(slots)), beside, seen)

    def _at(self, length: Length, shape: tuple[int, ...]) -> Value:
        """Give a length in a shape of `samples` elements or one."""
        key = (length, shape)
        if key not in self._shaped:
            if not length.terms:
                self._shaped[key] = self._full(length.constant, shape)
            else:
                self._shaped[key] = self._builder(ops.Reshape(self._value(length), shape))
        return self._shaped[key]

    def _value(self, length: Length) -> Value:
        """Compute a length, i64[samples], from the inputs."""
        if length in self._lengths:
            return self._lengths[length]
        first, *rest = (self._term(atom, factor) for atom, factor in length.terms)
        total = reduce(lambda a, b: self._builder(ops.Add(a, b)), rest, first)
        if length.constant:
            total = self._builder(ops.Add(total, self._full(length.constant, ())))
        self._lengths[length] = total
        return total

    def _term(self, atom: Atom, factor: int) -> Value:
        if isinstance(atom, Quotient):
            value = self._builder(ops.FloorDiv(self._value(atom.of), self._full(atom.by, ())))
        else:
            value = self._inputs[atom]
        return value if factor == 1 else self._builder(ops.Mul(value, self._full(factor, ())))

    def _full(self, number: int, shape: tuple[int, ...]) -> Value:
        return self._builder(ops.Full(TensorType(DType.i64, shape), number))

    def masked(self, value: Value, abstract: AbstractValue, dims: Sequence[int], fill: float) -> tuple[Value, bool]:
        """Make where(valid in `dims`, value, fill); also return whether that value is new."""
        padded = tuple(d for d in dims if any(f.length and f.fill != fill for f in abstract.dims[d]))
        key = (value, padded, repr(float(fill)))
        if key in self._masked:
            return self._masked[key], False
        condition = self._condition(abstract, padded)
        if value.dtype is DType.bool:
            joined = ops.Or(value, self._builder(ops.Not(condition))) if fill else ops.And(value, condition)
            masked = self._builder(joined, f"{value.name}.valid")
        else:
            number = float if value.dtype.is_float else int
            other = self._builder(ops.Full(TensorType(value.dtype, ()), number(fill)))
            masked = self._builder(ops.Where(condition, value, other), f"{value.name}.valid")
        self._masked[key] = masked
        return masked, True

    def _condition(self, abstract: AbstractValue, dims: Sequence[int]) -> Value:
        """Compute which elements are valid in these dimensions: bool, in a shape that broadcasts to the value."""
        found: Value | None = None
        for dim in dims:
            one = self._valid(abstract, dim)
            found = one if found is None else self._builder(ops.And(found, one))
        assert found is not None
        return found

    def _valid(self, abstract: AbstractValue, dim: int) -> Value:
        """Compare position < length for the lengths of one dimension: size 1 in all other dimensions but the batch."""
        seen = (dim, _batch(abstract)) if self._samples > 1 else (dim,)
        slots = _slots(abstract, seen)
        limits = self._of_samples(slots)
        found: Value | None = None
        for place, (d, factor) in enumerate(slots):
            if d != dim or factor is None or factor.length is None:
                continue
            positions = tuple(factor.size if i == place else 1 for i in range(len(slots)))
            one = self._below(factor.length, limits, positions)
            found = one if found is None else self._builder(ops.And(found, one))
        assert found is not None
        return self._together(found, abstract, seen)

    def _of_samples(self, slots: Sequence[Slot]) -> tuple[int, ...]:
        return tuple(self._samples if factor and factor.sample else 1 for _, factor in slots)

    def _together(self, value: Value, abstract: AbstractValue, seen: Sequence[int]) -> Value:
        """Reshape a value of slots to the dimensions of `abstract`, expanded where several slots merge into one."""
        slots = _slots(abstract, seen)
        if len(slots) == len(abstract.dims):
            return value
        wide = self._builder(ops.Expand(value, tuple(factor.size if factor else 1 for _, factor in slots)))
        shape = (prod(f.size for f in dim) if d in seen else 1 for d, dim in enumerate(abstract.dims))
        return self._builder(ops.Reshape(wide, tuple(shape)))

    def _below(self, length: Length, shape: tuple[int, ...], place: tuple[int, ...]) -> Value:
        """Compare 0, 1, 2, ... < length, where positions are of shape `place` and lengths of `shape`."""
        key = (length, shape, place)
        if key not in self._conditions:
            count = prod(place)
            positions = ops.constant(self._builder, torch.arange(count).reshape(place))
            limit = self._at(length, shape)
            self._conditions[key] = self._builder(ops.Lt(positions, limit), f"valid.{count}")
        return self._conditions[key]


def _slots(abstract: AbstractValue, seen: Sequence[int]) -> list[Slot]:
    """List the factors of the `seen` dimensions, one after another, and each other dimension as a single position."""
    rows = [[(d, factor) for factor in dim] if d in seen else [(d, None)] for d, dim in enumerate(abstract.dims)]
    return [slot for row in rows for slot in row]


def _batch(abstract: AbstractValue) -> int:
    """Return the dimension that is, or contains, the batch; Refusal if there is none."""
    for dim, factors in enumerate(abstract.dims):
        if any(factor.sample for factor in factors):
            return dim
    raise Refusal("it has no batch, whose samples have lengths of their own")


def _free(name: str, taken: set[str]) -> str:
    """Name a length's input after the length, unless an input has that name already."""
    return name if name not in taken else f"{name}.length"
