"""Known values in a program for all lengths: stored as constants, or computed from the true length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ttc import ops
from ttc.errors import Refusal
from ttc.ir import Builder, DType, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ops.padding import AbstractValue
from ttc.ops.padding.abstract import of_type
from ttc.passes.padding.infer_lengths import Annotated
from ttc.passes.padding.known import Known, Scale, Shift
from ttc.passes.padding.masks import Masks

FUNCTIONS = {"reciprocal": ops.Reciprocal, "sqrt": ops.Sqrt, "rsqrt": ops.Rsqrt}
"""The ops of the functions by which a `Scale` follows a length."""


@dataclass(frozen=True)
class Constants:
    """The known values of an annotated graph, which depend on neither inputs nor weights, added to a program."""

    annotated: Annotated
    builder: Builder
    masks: Masks
    require: Callable[[Length, int], None]
    unexplained: dict[Value, str] = field(default_factory=dict)
    """The reasons why constants are no known function of a length."""

    def value(self, value: Value, beside: AbstractValue | None = None) -> tuple[Value, AbstractValue]:
        """Add a known value and return its abstract value; Refusal if the value follows a length in an unknown way.

        A value that follows a length of each sample is made in a shape that broadcasts to the abstract value `beside`.
        """
        known = self.annotated.known[value]
        abstract = of_type(value.type)
        if known.unexplained:
            raise Refusal(known.unexplained)
        if known.follows is None:
            made = self.builder(value.op, value.name)
            return made, _filled(abstract, known, value.name, ops.number_of(made))
        abstract = abstract if beside is None else _with_batch(abstract, beside)
        return self._computed(value, known.follows, abstract), abstract

    def known(self, value: Value) -> tuple[Value, AbstractValue]:
        """Add a known value; one that no length explains is added as given, for transfer functions that look closer."""
        try:
            return self.value(value)
        except Refusal as refusal:
            self.unexplained[value] = f"%{value.name}: {refusal}"
            return self.builder(value.op, value.name), of_type(value.type)

    def _computed(self, value: Value, follows: Shift | Scale, abstract: AbstractValue) -> Value:
        """Compute a constant plus f(length), or a constant times f(length)."""
        if isinstance(follows, Scale):
            self._require(follows.length)
            pattern = ops.constant(self.builder, follows.pattern)
            return self.builder(ops.Mul(pattern, self._function(follows, abstract, value.dtype)))
        number = self.builder(ops.Cast(self.masks.length(follows.length, abstract), value.dtype))
        base = self.annotated.known[value].tensor
        if not follows.moved.all():
            number = self.builder(ops.Mul(number, ops.constant(self.builder, follows.moved.to(base.dtype))))
        return self.builder(ops.Add(ops.constant(self.builder, base.contiguous()), number))

    def _require(self, length: Length) -> None:
        """Require that the length behind a factor is 1 or more: 1 / (T - 1) has no number at T = 1.

        Models guard a factor or divisor of 0 (`max(T - 1, 1)`, a ramp of one step), and no reading tells by which.
        """
        if length.at(dict.fromkeys(length.names, 1)) < 1 or not length.grows_from_zero:
            self.require(length, 1)

    def _function(self, follows: Scale, beside: AbstractValue, dtype: DType) -> Value:
        """Compute function(length / divisor), in a shape that broadcasts to the abstract value `beside`."""
        value = self.builder(ops.Cast(self.masks.length(follows.length, beside), dtype))
        if follows.divisor != 1:
            value = self.builder(ops.Div(value, self.builder(ops.Full(TensorType(dtype, ()), follows.divisor))))
        return self.builder(FUNCTIONS[follows.function](value)) if follows.function else value


def _filled(abstract: AbstractValue, known: Known, name: str, number: float | None) -> AbstractValue:
    """Give the abstract value of numbers that are the same at all lengths; `number` if all elements are one number."""
    base = known.tensor
    alike = [bool((base == base.narrow(dim, 0, 1)).all()) for dim in range(base.ndim)]
    dims = [
        tuple(replace(f, fill=number, alike=same) if f.length else f for f in dim)
        for dim, same in zip(abstract.dims, alike, strict=True)
    ]
    infinite = number is None and base.is_floating_point() and not bool(base.isfinite().all())
    return AbstractValue(tuple(dims), frozenset((name,) if infinite and abstract.padded else ()))


def _with_batch(abstract: AbstractValue, beside: AbstractValue) -> AbstractValue:
    """Give an abstract value the batch of another, `beside`, to which the abstract value broadcasts."""
    dims = [*[()] * (len(beside.dims) - len(abstract.dims)), *abstract.dims]
    for d, dim in enumerate(beside.dims):
        if any(factor.sample for factor in dim):
            if len(dims) != len(beside.dims) or dims[d]:
                raise Refusal("its numbers follow a length that each sample has for itself")
            dims[d] = dim
    return AbstractValue(tuple(dims))
