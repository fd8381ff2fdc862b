"""The padding analysis: an abstract interpretation of an annotated graph, which rebuilds the graph with masks.

Each op's transfer function states the padding of the op's result, and asks for a mask where an operand's padding would
reach a valid element.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ttc import ops
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import Const, Node, Op, TensorType, Value
from ttc.ir.lengths import Extent, Length, same
from ttc.ir.symbolic import SymbolicSize
from ttc.ops.padding import AbstractValue, transfer_of
from ttc.ops.padding.abstract import dim_of, length_along, of_type
from ttc.passes.padding import model_masks
from ttc.passes.padding.flow import PaddingFlow
from ttc.passes.padding.infer_lengths import Annotated
from ttc.passes.padding.overflow import loses_huge
from ttc.passes.padding.result import ONE_SIZE, Doubtful, Padded


@dataclass(frozen=True)
class Batch:
    """The number of samples with lengths of their own; `everywhere` if all inputs of as many rows hold these."""

    samples: int
    everywhere: bool


@dataclass
class PaddingAnalysis:
    """One interpretation of the graph, node by node; `reasons` are those for which there is no safe program.

    `sources` are the values masked where they arise; `certain` states whether the model's own masks are made certain.
    """

    annotated: Annotated
    batch: Batch
    sources: frozenset[str]
    certain: bool
    new: dict[Value, Value] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self):
        self.reasons += self.annotated.reasons
        self.flow = PaddingFlow(self.annotated, self.batch.samples, self.certain)

    def run(self) -> Padded:
        """Rebuild the graph; Refused with every reason, NotFinite for values to mask before all else."""
        inputs = self._inputs()
        try:
            self._visit_all()
        except Refusal as refusal:
            self.reasons.append(("the model", str(refusal)))
        self._raise_refused()
        outputs = self.annotated.graph.outputs
        unexplained = self.flow.constants.unexplained
        self.reasons += [(f"the output {name!r}", unexplained[v]) for name, v in outputs if v in unexplained]
        new = {name: self.new[value] for name, value in outputs}
        extents = {name: self._extent(name, value) for name, value in new.items()}
        self._raise_refused()
        graph = self.flow.builder.finish(new)
        live = {value.name for value in graph.values()}
        return Padded(
            graph,
            self.flow.made.names,
            self.batch.samples,
            inputs,
            extents,
            tuple(mask for mask in self.flow.masks if mask.value in live),
            tuple(self.flow.least),
            self.flow.own,
            self.annotated.guessed,
            {value: self.flow.abstracts[value] for value in graph.values() if value in self.flow.abstracts},
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
        values = [(value, self.flow.builder(value.op)) for value in self.annotated.graph.inputs]
        self.flow.made.add_inputs()
        for old, value in values:
            abstract = of_type(old.type)
            batch = self._is_batch(old.type, abstract)
            if batch:
                abstract = abstract.with_dim(0, replace(abstract.axis(0), sample=True))
            if not value.dtype.is_float:
                filled = (tuple(replace(f, fill=0.0) if f.length else f for f in dim) for dim in abstract.dims)
                abstract = replace(abstract, dims=tuple(filled))
            taint = frozenset((value.name,)) if abstract.padded and value.dtype.is_float else frozenset()
            self.flow.abstracts[value] = replace(abstract, taint=taint)
            lengths = tuple(abstract.axis(dim).length for dim in range(len(abstract.dims)))
            extents[value.op.name] = Extent(lengths, 0 if batch else None)
            self.flow.origin = value.name
            self.new[old] = self._masked_at_source(value, value.name)
        return extents

    def _is_batch(self, type: TensorType, abstract: AbstractValue) -> bool:
        """Return whether the first dimension of an input is the batch."""
        samples, rows = self.batch.samples, type.shape[:1]
        alone = rows == (samples,) and not isinstance(rows[0], SymbolicSize)
        return samples > 1 and bool(rows) and (abstract.padded or (self.batch.everywhere and alone))

    def _visit(self, node: Node, refused: set[Value]) -> None:
        self.flow.node, self.flow.origin = node, node.results[0].name
        self.flow.builder.at(node.results)
        try:
            found = self._transferred(node)
        except (Refusal, TypeRuleError) as refusal:
            self.reasons.append((node.results[0].where, str(refusal)))
            refused.update(node.results)
            return
        for old, (value, abstract) in zip(node.results, found, strict=True):
            self.flow.state(value, abstract)
            for factor in abstract.factors:
                self.flow.require_size(factor.length)
            self.new[old] = self._masked_at_source(model_masks.certain_comparison(value, self.flow), self.flow.origin)

    def _masked_at_source(self, value: Value, name: str) -> Value:
        """Mask a value whose padding an earlier analysis found to matter; return any other value as given."""
        if name not in self.sources:
            return value
        return self.flow.masked(
            value, self.flow.abstract(value).padded_dims, 0.0, "inf or NaN would reach a valid element"
        )

    def _transferred(self, node: Node) -> list[tuple[Value, AbstractValue]]:
        """Rebuild a node by its op's transfer function: the new values and their abstract values."""
        if node.results[0] in self.annotated.known:
            return [self.flow.constants.known(value) for value in node.results]
        if isinstance(node.op, Const):
            value = self.flow.builder(node.op, node.results[0].name)
            return [(value, self.flow.abstract(value))]
        op = self._on_new_operands(node.op)
        if isinstance(op, ops.Mul):
            model_masks.certain_product(op, self.flow)
        self.flow.read.clear()
        values, abstracts = transfer_of(type(op)).function(op, self.flow)
        values = values if isinstance(values, tuple) else (values,)
        abstracts = abstracts if isinstance(abstracts, tuple) else (abstracts,)
        for old, value, abstract in zip(node.results, values, abstracts, strict=True):
            self._check(old.type, value, abstract)
        overflowing = [loses_huge(abstract, self.flow.read, self.flow.abstracts) for abstract in abstracts]
        return [
            (value, replace(abstract, taint=abstract.taint | {self.flow.origin}) if lost else abstract)
            for value, abstract, lost in zip(values, abstracts, overflowing, strict=True)
        ]

    def _on_new_operands(self, op: Op) -> Op:
        """Replace an op's operands by the new values; Refusal for an operand that is constant but follows no length."""
        transfer = transfer_of(type(op))
        new = {operand: self.new[operand] for operand in op.operands()}
        beside = self._of_samples(new) if transfer.broadcasts else {}
        looked_at = {id(getattr(op, name)) for name in transfer.known}
        for operand in new:
            if operand in self.flow.constants.unexplained and operand not in beside and id(operand) not in looked_at:
                raise Refusal(self.flow.constants.unexplained[operand])
        return op.with_operands(lambda operand: beside.get(operand, new[operand]))

    def _of_samples(self, operands: Mapping[Value, Value]) -> dict[Value, Value]:
        """Give constants beside a batch, whose samples have a length, and so a constant, of their own."""
        abstracts = [self.flow.abstract(value) for value in operands.values()]
        batches = [abstract for abstract in abstracts if any(factor.sample for factor in abstract.factors)]
        found: dict[Value, Value] = {}
        for operand in operands if batches else ():
            if operand in self.flow.constants.unexplained:
                with suppress(Refusal):
                    found[operand], abstract = self.flow.constants.value(operand, batches[0])
                    self.flow.state(found[operand], abstract)
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
                raise Refusal(_of_another_length(dim, stated, wanted))
        if sum(factor.sample for factor in abstract.factors) > 1:
            raise Refusal("it combines samples of the batch with each other")

    def _extent(self, name: str, value: Value) -> Extent:
        abstract = self.flow.abstract(value)
        try:
            axes = [abstract.axis(dim) for dim in range(len(abstract.dims))]
        except Refusal as refusal:
            self.reasons.append((f"the output {name!r}", str(refusal)))
            return Extent(())
        sample = next((dim for dim, axis in enumerate(axes) if axis.sample), None)
        return Extent(tuple(axis.length for axis in axes), sample)


def _of_another_length(dim: int, stated: Length | None, wanted: Length | None) -> str:
    if wanted is None and stated is not None and not stated.names:
        return f"it joins parts that follow a length to {stated} elements at any: use torch.nn.functional.pad"
    return f"its dimension {dim} follows {stated or 'no length'}, not {wanted or 'none'}"
