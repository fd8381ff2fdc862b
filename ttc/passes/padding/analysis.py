"""The padding analysis: an abstract interpretation of an annotated graph, which rebuilds the graph with masks.

Each op's transfer function states the padding of the op's result, and asks for a mask where an operand's padding would
reach a valid element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch

from ttc import ops
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import Const, Input, Node, Op, TensorType, Value, Weights
from ttc.ir.lengths import Extent, Length, same
from ttc.ir.symbolic import SymbolicSize
from ttc.ops.padding import AbstractValue, transfer_of
from ttc.ops.padding.abstract import dim_of, length_along, of_type
from ttc.passes.padding import model_masks
from ttc.passes.padding.constants import Constants
from ttc.passes.padding.infer_lengths import Annotated
from ttc.passes.padding.masks import Masks
from ttc.passes.padding.overflow import loses_huge
from ttc.passes.padding.plain_builder import PlainBuilder
from ttc.passes.padding.result import ONE_SIZE, Doubtful, Mask, NotFinite, Padded


@dataclass(frozen=True)
class Batch:
    """The number of samples with lengths of their own; `everywhere` if all inputs of as many rows hold these."""

    samples: int
    everywhere: bool


@dataclass
class PaddingAnalysis:
    """One interpretation of the graph: the program so far, its abstract values, the masks and the reasons collected.

    `sources` are the values masked where they arise; `certain` states whether the model's own masks are made certain.
    """

    annotated: Annotated
    batch: Batch
    sources: frozenset[str]
    certain: bool
    origin: str = ""
    abstracts: dict[Value, AbstractValue] = field(default_factory=dict)
    new: dict[Value, Value] = field(default_factory=dict)
    masks: list[Mask] = field(default_factory=list)
    least: dict[tuple[Length, int], None] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    own: bool = False
    read: list[tuple[Value, Value]] = field(default_factory=list)
    """The values that the current transfer function has made, each paired with every operand of the value's op."""
    node: Node = field(init=False)

    def __post_init__(self):
        graph, limits = self.annotated.graph, self.annotated.limits
        self.reasons += self.annotated.reasons
        self.builder = PlainBuilder(Weights(dict(graph.weights)))
        taken = {value.op.name for value in graph.inputs if isinstance(value.op, Input)}
        self.made = Masks(self.builder, limits, self.batch.samples, taken)
        self.constants = Constants(self.annotated, self.builder, self.made, self.require)

    # ------------------------------------------------------------ asked by transfer functions

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

    # ------------------------------------------------------------ the graph

    def run(self) -> Padded:
        """Rebuild the graph; Refused with every reason, NotFinite for values to mask before all else."""
        inputs = self._inputs()
        try:
            self._visit_all()
        except Refusal as refusal:
            self.reasons.append(("the model", str(refusal)))
        self._raise_refused()
        outputs = self.annotated.graph.outputs
        unexplained = self.constants.unexplained
        self.reasons += [(f"the output {name!r}", unexplained[v]) for name, v in outputs if v in unexplained]
        new = {name: self.new[value] for name, value in outputs}
        extents = {name: self._extent(name, value) for name, value in new.items()}
        self._raise_refused()
        graph = self.builder.finish(new)
        live = {value.name for value in graph.values()}
        return Padded(
            graph,
            self.made.names,
            self.batch.samples,
            inputs,
            extents,
            tuple(mask for mask in self.masks if mask.value in live),
            tuple(self.least),
            self.own,
            self.annotated.guessed,
            {value: self.abstracts[value] for value in graph.values() if value in self.abstracts},
        )

    def _visit_all(self) -> None:
        refused: set[Value] = set()
        for node in self.annotated.graph.nodes:
            if any(value in refused for value in node.op.operands()):
                refused.update(node.results)
            elif node.results[0] not in self.new:
                self._visit(node, refused)

    def _raise_refused(self) -> None:
        if self.reasons:
            raise (Doubtful if self.annotated.guessed else Refused)(self.reasons, ONE_SIZE)

    def _inputs(self) -> dict[str, Extent]:
        """Add the model's inputs, then the true lengths, and return each input's extent.

        A run pads inputs with zeros. The zeros are relied on for integers and booleans, whose padding would otherwise
        look up rows that tables do not have; the padding of floating inputs may be anything.
        """
        extents: dict[str, Extent] = {}
        values = [(value, self.builder(value.op)) for value in self.annotated.graph.inputs]
        self.made.add_inputs()
        for old, value in values:
            abstract = of_type(old.type)
            batch = self._is_batch(old.type, abstract)
            if batch:
                abstract = abstract.with_dim(0, replace(abstract.axis(0), sample=True))
            if not value.dtype.is_float:
                filled = (tuple(replace(f, fill=0.0) if f.length else f for f in dim) for dim in abstract.dims)
                abstract = replace(abstract, dims=tuple(filled))
            taint = frozenset((value.name,)) if abstract.padded and value.dtype.is_float else frozenset()
            self.abstracts[value] = replace(abstract, taint=taint)
            lengths = tuple(abstract.axis(dim).length for dim in range(len(abstract.dims)))
            extents[value.op.name] = Extent(lengths, 0 if batch else None)
            self.origin = value.name
            self.new[old] = self._masked_at_source(value, value.name)
        return extents

    def _is_batch(self, type: TensorType, abstract: AbstractValue) -> bool:
        """Return whether the first dimension of an input is the batch."""
        samples, rows = self.batch.samples, type.shape[:1]
        alone = rows == (samples,) and not isinstance(rows[0], SymbolicSize)
        return samples > 1 and bool(rows) and (abstract.padded or (self.batch.everywhere and alone))

    def _visit(self, node: Node, refused: set[Value]) -> None:
        self.node, self.origin = node, node.results[0].name
        self.builder.at(node.results)
        try:
            found = self._transferred(node)
        except (Refusal, TypeRuleError) as refusal:
            self.reasons.append((node.results[0].where, str(refusal)))
            refused.update(node.results)
            return
        for old, (value, abstract) in zip(node.results, found, strict=True):
            self.state(value, abstract)
            for factor in abstract.factors:
                self.require_size(factor.length)
            self.new[old] = self._masked_at_source(model_masks.certain_comparison(value, self), self.origin)

    def _masked_at_source(self, value: Value, name: str) -> Value:
        """Mask a value whose padding an earlier analysis found to matter; return any other value as given."""
        if name not in self.sources:
            return value
        return self.masked(value, self.abstract(value).padded_dims, 0.0, "inf or NaN would reach a valid element")

    def _transferred(self, node: Node) -> list[tuple[Value, AbstractValue]]:
        """Rebuild a node by its op's transfer function: the new values and their abstract values."""
        if node.results[0] in self.annotated.known:
            return [self.constants.known(value) for value in node.results]
        if isinstance(node.op, Const):
            value = self.builder(node.op, node.results[0].name)
            return [(value, self.abstract(value))]
        op = self._on_new_operands(node.op)
        if isinstance(op, ops.Mul):
            model_masks.certain_product(op, self)
        self.read.clear()
        values, abstracts = transfer_of(type(op)).function(op, self)
        values = values if isinstance(values, tuple) else (values,)
        abstracts = abstracts if isinstance(abstracts, tuple) else (abstracts,)
        for old, value, abstract in zip(node.results, values, abstracts, strict=True):
            self._check(old.type, value, abstract)
        overflowing = [loses_huge(abstract, self.read, self.abstracts) for abstract in abstracts]
        return [
            (value, replace(abstract, taint=abstract.taint | {self.origin}) if lost else abstract)
            for value, abstract, lost in zip(values, abstracts, overflowing, strict=True)
        ]

    def _on_new_operands(self, op: Op) -> Op:
        """Replace an op's operands by the new values; Refusal for an operand that is constant but follows no length."""
        transfer = transfer_of(type(op))
        new = {operand: self.new[operand] for operand in op.operands()}
        beside = self._of_samples(new) if transfer.broadcasts else {}
        looked_at = {id(getattr(op, name)) for name in transfer.known}
        for operand in new:
            if operand in self.constants.unexplained and operand not in beside and id(operand) not in looked_at:
                raise Refusal(self.constants.unexplained[operand])
        return op.with_operands(lambda operand: beside.get(operand, new[operand]))

    def _of_samples(self, operands: Mapping[Value, Value]) -> dict[Value, Value]:
        """Give constants beside a batch, whose samples have a length, and so a constant, of their own."""
        abstracts = [self.abstract(value) for value in operands.values()]
        batches = [abstract for abstract in abstracts if any(factor.sample for factor in abstract.factors)]
        found: dict[Value, Value] = {}
        for operand in operands if batches else ():
            if operand in self.constants.unexplained:
                with suppress(Refusal):
                    found[operand], abstract = self.constants.value(operand, batches[0])
                    self.state(found[operand], abstract)
        return found

    def _check(self, inferred: TensorType, value: Value, abstract: AbstractValue) -> None:
        """Refuse sizes and lengths that a transfer function states and that differ from those inferred."""
        if value.type != inferred:
            raise Refusal(f"its transfer function made {value.type} of {inferred}")
        limits, multiples = self.annotated.limits, self.annotated.multiples
        for dim, size in enumerate(inferred.shape):
            if abstract.size(dim) != size:
                raise Refusal(f"its dimension {dim} is {size} where {abstract.size(dim)} was expected")
            stated, wanted = length_along(abstract.dims[dim]), length_along(dim_of(size))
            alike = same(stated, wanted, limits, multiples) if stated and wanted else stated is wanted
            if not alike:
                raise Refusal(f"the length {stated} is not {wanted}")
        if sum(factor.sample for factor in abstract.factors) > 1:
            raise Refusal("it combines samples of the batch with each other")

    # ------------------------------------------------------------ outputs

    def _extent(self, name: str, value: Value) -> Extent:
        abstract = self.abstract(value)
        try:
            axes = [abstract.axis(dim) for dim in range(len(abstract.dims))]
        except Refusal as refusal:
            self.reasons.append((f"the output {name!r}", str(refusal)))
            return Extent(())
        sample = next((dim for dim, axis in enumerate(axes) if axis.sample), None)
        return Extent(tuple(axis.length for axis in axes), sample)
