"""The program so far and its abstract values, as transfer functions see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ttc import ops
from ttc.ir import Input, Node, Op, TensorType, Value, Weights
from ttc.ir.lengths import Length, same
from ttc.ops.padding import AbstractValue
from ttc.ops.padding.abstract import of_type
from ttc.passes.padding.constants import Constants
from ttc.passes.padding.infer_lengths import Annotated
from ttc.passes.padding.masks import Masks
from ttc.passes.padding.plain_builder import PlainBuilder
from ttc.passes.padding.result import Mask, NotFinite


@dataclass
class PaddingFlow:
    """The `Flow` that transfer functions ask and add to: `ops.padding.transfer` describes the methods.

    `samples` of the batch have lengths of their own; `certain` states whether the model's own masks are made certain,
    `own` whether there are any. `least` has the smallest value of each length for which the model has a result.
    """

    annotated: Annotated
    samples: int
    certain: bool
    origin: str = ""
    node: Node = field(init=False)
    """The node of the annotated graph that is transferred."""
    abstracts: dict[Value, AbstractValue] = field(default_factory=dict)
    masks: list[Mask] = field(default_factory=list)
    least: dict[tuple[Length, int], None] = field(default_factory=dict)
    own: bool = False
    read: list[tuple[Value, Value]] = field(default_factory=list)
    """The values that the current transfer function has made, each paired with every operand of the value's op."""

    def __post_init__(self):
        graph, limits = self.annotated.graph, self.annotated.limits
        self.builder = PlainBuilder(Weights(dict(graph.weights)))
        taken = {value.op.name for value in graph.inputs if isinstance(value.op, Input)}
        self.made = Masks(self.builder, limits, self.samples, taken)
        self.constants = Constants(self.annotated, self.builder, self.made, self.require)

    def __call__(self, op: Op):
        made = self.builder(op)
        first = made if isinstance(made, Value) else made[0]
        self.read += [(first, operand) for operand in op.operands()]
        return made

    def abstract(self, value: Value) -> AbstractValue:
        if value not in self.abstracts:  # made on the way, from what has no padding
            self.abstracts[value] = of_type(value.type)
        return self.abstracts[value]

    def state(self, value: Value, abstract: AbstractValue) -> None:
        self.abstracts[value] = abstract

    def constant(self, value: Value) -> bool:
        return value in self.builder.constants

    @property
    def results(self) -> list[TensorType]:
        return [value.type for value in self.node.results]

    def picked(self) -> torch.Tensor | None:
        places = self.annotated.picked.get(self.node.results[0])
        return None if places is None else self.annotated.known[places].tensor

    def why_unknown(self, name: str) -> str:
        return self.constants.unexplained.get(getattr(self.node.op, name), "")

    def known(self, data: Sequence[int], type: TensorType) -> Value:
        return ops.constant(self.builder, torch.tensor(list(data), dtype=torch.int64).reshape(type.shape))

    def same(self, a: Length, b: Length) -> bool:
        return same(a, b, self.annotated.limits)

    def length(self, length: Length, beside: AbstractValue) -> Value:
        return self.made.length(length, beside)

    def require(self, length: Length, least: int) -> None:
        self.least.setdefault((length, least))

    def require_size(self, length: Length | None) -> None:
        """Require that a length can be a size or a position: none is negative, and slices read other places then."""
        if length is not None and not length.grows_from_zero:
            self.require(length, 0)

    def masked(self, value: Value, dims: Sequence[int], fill: float, why: str) -> Value:
        abstract = self.abstract(value)
        wanted = [f for d in dims for f in abstract.dims[d] if f.length and f.fill != fill]
        if not wanted:
            return value
        masked, created = self.made.masked(value, abstract, dims, fill)
        if created:
            self.masks.append(
                Mask(value.name, tuple(f.length for f in wanted if f.length), fill, f"{why} (%{self.origin})")
            )
        filled = tuple(
            tuple(f.bare(fill) if f.length else f for f in dim) if d in dims else dim
            for d, dim in enumerate(abstract.dims)
        )
        all_of_it = set(abstract.padded_dims) <= set(dims)
        self.state(masked, AbstractValue(filled, frozenset() if all_of_it else abstract.taint))
        return masked

    def finite(self, value: Value, why: str) -> Value:
        abstract = self.abstract(value)
        if abstract.taint:
            raise NotFinite(abstract.taint)
        return self.masked(value, abstract.infinite_dims, 0.0, why)
