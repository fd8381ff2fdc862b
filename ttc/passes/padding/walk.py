"""The walk over a family: the first member's program anew, each op by its transfer rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ttc import ops
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import Builder, Const, Input, Node, Op, TensorType, Value, Weights
from ttc.ir.graph import field_names
from ttc.ir.lengths import Extent, Length, same
from ttc.ops.padding import TRANSFERS, Factor, Region
from ttc.ops.padding.region import Sizes, is_huge, single
from ttc.passes.padding import own
from ttc.passes.padding.constants import Constants
from ttc.passes.padding.family import Family, Row, has_values, varying
from ttc.passes.padding.fit import Fits
from ttc.passes.padding.masks import Masks
from ttc.passes.padding.result import ONE_SIZE, Doubtful, Mask, Padded, Unclean


class Separate(Builder):
    """A builder that shares nothing: equal ops of the first member may differ in another."""

    def _shared(self, op, make):
        return make()


@dataclass(frozen=True)
class Batch:
    """How many samples have lengths of their own; whether they are the rows of all inputs that have as many rows."""

    samples: int
    everywhere: bool


@dataclass
class Walk:
    """One walk: the program so far, what is known of its values, the masks and the reasons collected."""

    family: Family
    batch: Batch
    cleaned: frozenset[str]
    certain: bool
    variants: Sequence[Op] = ()
    origin: str = ""
    regions: dict[Value, Region] = field(default_factory=dict)
    new: dict[tuple[Value, ...], Value] = field(default_factory=dict)
    masks: list[Mask] = field(default_factory=list)
    least: dict[tuple[Length, int], None] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    own: bool = False
    read: list[tuple[Value, Value]] = field(default_factory=list)
    """What the current rule has made, and each operand of it."""

    def __post_init__(self):
        base = self.family.graphs[0]
        limits = self.family.sizes[0]
        self.builder = Separate(Weights(dict(base.weights)))
        self.fits = Fits(self.family.sizes, limits)
        self.made = Masks(
            self.builder, limits, self.batch.samples, {v.op.name for v in base.inputs if isinstance(v.op, Input)}
        )
        self.constants = Constants(self.family, self.builder, self.fits, self.made)

    @property
    def members(self) -> int:
        return len(self.family.graphs)

    # ------------------------------------------------------------ what rules ask

    def __call__(self, op: Op):
        made = self.builder(op)
        first = made if isinstance(made, Value) else made[0]
        self.read += [(first, operand) for operand in op.operands()]
        return made

    def region(self, value: Value) -> Region:
        if value not in self.regions:  # made by a rule on the way, from what has no padding
            self.regions[value] = Region(tuple(single(Factor((size,) * self.members)) for size in value.shape))
        return self.regions[value]

    def state(self, value: Value, region: Region) -> None:
        self.regions[value] = region

    def constant(self, value: Value) -> bool:
        return value in self.builder.constants

    def tensors(self, name: str) -> list[torch.Tensor] | None:
        row = tuple(getattr(variant, name) for variant in self.variants)
        return self.family.tensors(row) if self.family.is_known(row) else None

    def why_unknown(self, name: str) -> str:
        return self.constants.unexplained.get(tuple(getattr(variant, name) for variant in self.variants), "")

    def known(self, data: Sequence[int], type: TensorType) -> Value:
        return ops.constant(self.builder, torch.tensor(list(data), dtype=torch.int64).reshape(type.shape))

    def same(self, a: Length, b: Length) -> bool:
        return same(a, b, self.family.sizes[0])

    def fit(self, sizes: Sizes) -> Factor:
        return self.fits.factor(sizes)

    def length(self, length: Length, region: Region) -> Value:
        return self.made.length(length, region)

    def require(self, length: Length, least: int) -> None:
        self.least.setdefault((length, least))

    def masked(self, value: Value, dims: Sequence[int], fill: float, why: str) -> Value:
        region = self.region(value)
        wanted = [f for d in dims for f in region.dims[d] if f.length and f.fill != fill]
        if not wanted:
            return value
        masked, created = self.made.masked(value, region, dims, fill)
        if created:
            self.masks.append(
                Mask(value.name, tuple(f.length for f in wanted if f.length), fill, f"{why} (%{self.origin})")
            )
        filled = tuple(
            tuple(f.bare(fill) if f.length else f for f in dim) if d in dims else dim
            for d, dim in enumerate(region.dims)
        )
        all_of_it = set(region.padded_dims) <= set(dims)
        self.state(masked, Region(filled, frozenset() if all_of_it else region.taint))
        return masked

    def finite(self, value: Value, why: str) -> Value:
        region = self.region(value)
        if region.taint:
            raise Unclean(region.taint)
        return self.masked(value, region.infinite_dims, 0.0, why)

    # ------------------------------------------------------------ the walk

    def run(self) -> Padded:
        inputs = self._inputs()
        refused: set[Value] = set()
        try:
            for nodes in self.family.nodes():
                rows = list(zip(*(node.results for node in nodes), strict=True))
                if any(value in refused for value in nodes[0].op.operands()):
                    refused.update(nodes[0].results)
                elif rows[0] not in self.new:
                    self._node(nodes, rows, refused)
        except Refusal as refusal:
            self.reasons.append(("the model", str(refusal)))
        if self.reasons:
            raise (Doubtful if self.fits.guessed else Refused)(self.reasons, ONE_SIZE)
        unexplained = self.constants.unexplained
        self.reasons += [(f"the output {n!r}", unexplained[r]) for n, r in self.family.outputs if r in unexplained]
        outputs = {name: self.new[row] for name, row in self.family.outputs}
        extents = {name: self._extent(name, value) for name, value in outputs.items()}
        if self.reasons:
            raise (Doubtful if self.fits.guessed else Refused)(self.reasons, ONE_SIZE)
        graph = self.builder.finish(outputs)
        live = {value.name for value in graph.values()}
        masks = tuple(mask for mask in self.masks if mask.value in live)
        return Padded(
            graph,
            self.made.names,
            self.batch.samples,
            inputs,
            extents,
            masks,
            tuple(self.least),
            self.own,
            self.fits.guessed,
            {value: self.regions[value] for value in graph.values() if value in self.regions},
        )

    def _inputs(self) -> dict[str, Extent]:
        """The model's inputs, then the true lengths.

        Whoever runs the program fills inputs up with zeros. That is relied on for integers and booleans, whose padding
        would otherwise look up rows that tables do not have; floating padding may be anything.
        """
        extents: dict[str, Extent] = {}
        rows = list(zip(*(graph.inputs for graph in self.family.graphs), strict=True))
        values = [self.builder(row[0].op) for row in rows]
        self.made.add_inputs()
        for row, value in zip(rows, values, strict=True):
            dims = [self._input_factor(row, dim, value.op.name) for dim in range(value.type.rank)]
            batch = self._is_batch(dims)
            if batch:
                dims[0] = replace(dims[0], sample=True)
            if not value.dtype.is_float:
                dims = [replace(factor, fill=0.0) if factor.length else factor for factor in dims]
            region = Region(tuple(map(single, dims)))
            taint = frozenset((value.name,)) if region.padded and value.dtype.is_float else frozenset()
            self.regions[value] = replace(region, taint=taint)
            extents[value.op.name] = Extent(tuple(factor.length for factor in dims), 0 if batch else None)
            self.origin = value.name
            self.new[row] = self._clean(value, value.name)
        return extents

    def _is_batch(self, dims: Sequence[Factor]) -> bool:
        """Whether the first dimension of an input is the batch."""
        samples, rows = self.batch.samples, set(dims[0].sizes) if dims else set()
        return samples > 1 and (any(f.length for f in dims) or (self.batch.everywhere and rows == {samples}))

    def _input_factor(self, row: Sequence[Value], dim: int, name: str) -> Factor:
        try:
            return self.fit(tuple(value.shape[dim] for value in row))
        except Refusal as refusal:
            raise Refused([(f"the input {name!r}", str(refusal))]) from None

    def _node(self, nodes: Sequence[Node], rows: list[tuple[Value, ...]], refused: set[Value]) -> None:
        self.origin = nodes[0].results[0].name
        self.builder.at(nodes[0].results)
        try:
            found = self._transferred(nodes, rows)
        except (Refusal, TypeRuleError) as refusal:
            self.reasons.append((nodes[0].results[0].where, str(refusal)))
            refused.update(nodes[0].results)
            return
        for row, (value, region) in zip(rows, found, strict=True):
            self.state(value, region)
            for factor in region.factors:
                if factor.length:
                    self.fits.add(factor.length)
            self.new[row] = self._clean(own.certain_comparison(value, self), self.origin)

    def _clean(self, value: Value, name: str) -> Value:
        """The value; masked if what it holds in its padding has turned out to matter."""
        if name not in self.cleaned:
            return value
        return self.masked(value, self.region(value).padded_dims, 0.0, "inf or NaN would reach a valid element")

    def _transferred(self, nodes: Sequence[Node], rows: list[tuple[Value, ...]]) -> list[tuple[Value, Region]]:
        """The new values of a node, by its op's rule, and their regions, which must have the members' sizes."""
        first = nodes[0].op
        if self.family.is_known(rows[0]):
            return [self.constants.known(row) for row in rows]
        if isinstance(first, Const):
            return [self._weight(rows[0])]
        transfer = TRANSFERS.get(type(first))
        if transfer is None:
            raise Refusal("nothing is known of what it makes of padding")
        self.variants = [node.op for node in nodes]
        changing = [name for name in varying(self.variants) if name not in transfer.varying]
        if changing:
            raise Refusal(f"its {changing[0]} follows a length")
        new = {row: self.new[row] for row in self.family.operands(rows[0])}
        if transfer.broadcasts:
            new.update(self._of_samples(new))
        looked_at = {id(getattr(first, name)) for name in transfer.known}
        self.constants.refuse_unexplained(
            row for row in new if new[row] is self.new[row] and id(row[0]) not in looked_at
        )
        op = self._with_operands(first, rows[0], new)
        if isinstance(op, ops.Mul):
            own.certain_product(op, self)
        self.read.clear()
        values, regions = transfer.rule(op, self)
        values = values if isinstance(values, tuple) else (values,)
        regions = regions if isinstance(regions, tuple) else (regions,)
        for row, value, region in zip(rows, values, regions, strict=True):
            self._check(row, value, region)
        return [(value, self._overflowing(region)) for value, region in zip(values, regions, strict=True)]

    def _overflowing(self, region: Region) -> Region:
        """The region, tainted where huge numbers in the padding that its rule read are no longer known."""
        unknown = {factor.length for factor in region.factors if factor.fill is None}
        known = {factor.length for factor in region.factors} - unknown
        lost = any(
            is_huge(factor.fill, value.dtype) and factor.length not in known
            for made, value in self.read
            if value in self.regions and made not in self.regions  # what a rule has stated accounts for its operands
            for factor in _passed(made.op, value, self.regions[value])
        )
        return replace(region, taint=region.taint | {self.origin}) if lost and region.padded else region

    def _of_samples(self, operands: Mapping[Row, Value]) -> dict[Row, Value]:
        """Constants beside a batch, where each sample has a length of its own and so a constant of its own."""
        regions = [self.region(value) for value in operands.values()]
        batches = [region for region in regions if any(factor.sample for factor in region.factors)]
        found: dict[Row, Value] = {}
        for row in operands if batches else ():
            if row in self.constants.unexplained:
                with suppress(Refusal):
                    found[row], region = self.constants.value(row, batches[0])
                    self.state(found[row], region)
        return found

    def _weight(self, row: Row) -> tuple[Value, Region]:
        if len({value.op for value in row}) > 1:
            raise Refusal("its weights are not the same at all lengths")
        value = self.builder(row[0].op, row[0].name)
        return value, self.region(value)

    def _with_operands(self, op: Op, row: Row, new_values: Mapping[Row, Value]) -> Op:
        """The op on the new values: one value of the first member may be in several rows, so they go in order."""
        values = iter([new_values[operand] for operand in self.family.operands(row)])

        def new(item: Any) -> Any:
            if isinstance(item, tuple):
                return tuple(map(new, item))
            return next(values) if isinstance(item, Value) else item

        names = [name for name in field_names(type(op)) if has_values(getattr(op, name))]
        return replace(op, **{name: new(getattr(op, name)) for name in names})  # type: ignore[type-var]

    def _check(self, row: tuple[Value, ...], value: Value, region: Region) -> None:
        """What a rule says of sizes must be what the members have."""
        if value.type != row[0].type:
            raise Refusal(f"its rule made {value.type} of {row[0].type}")
        for dim in range(len(value.shape)):
            stated = region.sizes(dim, self.members)
            actual = tuple(member.shape[dim] for member in row)
            if stated != actual:
                raise Refusal(f"its dimension {dim} is {actual} where {stated} was expected")
        if sum(factor.sample for factor in region.factors) > 1:
            raise Refusal("it combines samples of the batch with each other")
        for factor in region.factors:
            if factor.length and tuple(map(factor.length.at, self.family.sizes)) != factor.sizes:
                raise Refusal(f"the length {factor.length} is not {factor.sizes}")

    # ------------------------------------------------------------ outputs

    def _extent(self, name: str, value: Value) -> Extent:
        region = self.region(value)
        try:
            axes = [region.axis(dim) for dim in range(len(region.dims))]
        except Refusal as refusal:
            self.reasons.append((f"the output {name!r}", str(refusal)))
            return Extent(())
        sample = next((dim for dim, axis in enumerate(axes) if axis.sample), None)
        return Extent(tuple(axis.length for axis in axes), sample)


def _passed(op: Op, value: Value, region: Region) -> list[Factor]:
    """The factors of an operand whose padding may come through: not of what a choice or a mask leaves out."""
    match op:
        case ops.Attention(mask=mask) if value is mask:
            return []
        case ops.Max(dims=dims) | ops.Min(dims=dims):
            left_out = dims
        case ops.Topk(dim=dim) | ops.Argmax(dim=dim) | ops.Softmax(dim=dim):
            left_out = (dim,)
        case _:
            left_out = ()
    return [factor for d, factors in enumerate(region.dims) if d not in left_out for factor in factors]
