"""The walk over a family: the first member's program anew, each op by its transfer rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ttc import ops
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import Builder, Const, Graph, Input, Node, Op, TensorType, Value, Weights
from ttc.ir.graph import field_names
from ttc.ir.lengths import Extent, Length, same
from ttc.ops.padding import TRANSFERS, Factor, Region
from ttc.ops.padding.region import Sizes, single
from ttc.passes.padding.constants import Constants
from ttc.passes.padding.family import Family, Row, has_values, varying
from ttc.passes.padding.fit import Fits
from ttc.passes.padding.masks import Masks


@dataclass(frozen=True)
class Mask:
    """A mask that was put into the program: on which value, over which lengths, and why."""

    value: str
    lengths: tuple[Length, ...]
    fill: float
    why: str

    def __str__(self) -> str:
        return f"%{self.value}, {self.fill:g} beyond {', '.join(map(str, self.lengths))}: {self.why}"


@dataclass(frozen=True)
class Padded:
    """A program that takes true lengths, and what its user has to know of it.

    `names` are the length inputs, i64[samples] each, by the length they are of; `least` is what lengths must be at
    least for the model to have a result. `own` says whether the model has masks of its own that could be made certain,
    `guessed` whether lengths were found that more sizes would make certain.
    """

    graph: Graph
    names: Mapping[str, str]
    samples: int
    inputs: Mapping[str, Extent]
    outputs: Mapping[str, Extent]
    masks: tuple[Mask, ...]
    least: tuple[tuple[Length, int], ...]
    own: bool
    guessed: bool


class Unclean(Exception):
    """Values whose padding must be finite, and may not be."""

    def __init__(self, names: frozenset[str]):
        super().__init__()
        self.names = names


class Separate(Builder):
    """A builder that shares nothing: equal ops of the first member may differ in another."""

    def _shared(self, op, make):
        return make()


@dataclass
class Walk:
    """One walk: the program so far, what is known of its values, the masks and the reasons collected."""

    family: Family
    samples: int
    cleaned: frozenset[str]
    certain: bool
    variants: Sequence[Op] = ()
    origin: str = ""
    regions: dict[Value, Region] = field(default_factory=dict)
    new: dict[tuple[Value, ...], Value] = field(default_factory=dict)
    masks: list[Mask] = field(default_factory=list)
    least: dict[tuple[Length, int], None] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    unexplained: dict[Row, str] = field(default_factory=dict)
    own: bool = False

    def __post_init__(self):
        base = self.family.graphs[0]
        limits = self.family.sizes[0]
        self.builder = Separate(Weights(dict(base.weights)))
        self.fits = Fits(self.family.sizes, limits)
        self.made = Masks(
            self.builder, limits, self.samples, {v.op.name for v in base.inputs if isinstance(v.op, Input)}
        )
        self.constants = Constants(self.family, self.builder, self.fits, self.made)

    @property
    def members(self) -> int:
        return len(self.family.graphs)

    # ------------------------------------------------------------ what rules ask

    def __call__(self, op: Op):
        return self.builder(op)

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
        return self.unexplained.get(tuple(getattr(variant, name) for variant in self.variants), "")

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
        del why
        taint = self.region(value).taint
        if taint:
            raise Unclean(taint)
        return value

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
            raise Refused(self.reasons)
        self.reasons += [
            (f"the output {n!r}", self.unexplained[r]) for n, r in self.family.outputs if r in self.unexplained
        ]
        outputs = {name: self.new[row] for name, row in self.family.outputs}
        extents = {name: self._extent(name, value) for name, value in outputs.items()}
        if self.reasons:
            raise Refused(self.reasons)
        graph = self.builder.finish(outputs)
        live = {value.name for value in graph.values()}
        masks = tuple(mask for mask in self.masks if mask.value in live)
        return Padded(
            graph, self.made.names, self.samples, inputs, extents, masks, tuple(self.least), self.own, self.fits.guessed
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
            batch = any(factor.length for factor in dims) and self.samples > 1
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

    def _input_factor(self, row: Sequence[Value], dim: int, name: str) -> Factor:
        try:
            return self.fit(tuple(value.shape[dim] for value in row))
        except Refusal as refusal:
            raise Refused([(f"the input {name!r}", str(refusal))]) from None

    def _node(self, nodes: Sequence[Node], rows: list[tuple[Value, ...]], refused: set[Value]) -> None:
        self.origin = self.builder.hint = nodes[0].results[0].name
        try:
            found = self._transferred(nodes, rows)
        except (Refusal, TypeRuleError) as refusal:
            self.reasons.append((f"{nodes[0].op.mnemonic} %{self.origin}", str(refusal)))
            refused.update(nodes[0].results)
            return
        for row, (value, region) in zip(rows, found, strict=True):
            self.state(value, region)
            for factor in region.factors:
                if factor.length:
                    self.fits.add(factor.length)
            self.new[row] = self._clean(self._certain(value), self.origin)

    def _certain(self, value: Value) -> Value:
        """A comparison of positions with lengths of the model's own, so that it surely excludes what is no position."""
        op = value.op
        if not isinstance(op, (ops.Lt, ops.Le, ops.Gt, ops.Ge)):
            return value
        for positions, other, beyond in (
            (op.a, op.b, isinstance(op, (ops.Gt, ops.Ge))),
            (op.b, op.a, isinstance(op, (ops.Lt, ops.Le))),
        ):
            back = {value.type.rank - positions.type.rank + d for d in self.region(positions).padded_dims}
            own = {value.type.rank - other.type.rank + d for d in self.region(other).padded_dims}
            if not self.constant(positions) or not back or back & own:
                continue
            self.own = True
            if self.certain:
                return self.masked(value, sorted(back), float(beyond), "the model's own mask, which others rely on")
        return value

    def _certain_product(self, op: ops.Mul) -> None:
        """A product with a mask of zeros excludes what is finite only."""
        for mask, value in ((op.a, op.b), (op.b, op.a)):
            zeros = [factor.fill for factor in self.region(mask).factors if factor.length]
            if zeros and set(zeros) == {0.0} and self.region(value).taint and not self.region(mask).taint:
                self.own = True
                if self.certain:
                    self.finite(value, "the model's own mask")

    def _clean(self, value: Value, name: str) -> Value:
        """The value; masked if what it holds in its padding has turned out to matter."""
        if name not in self.cleaned:
            return value
        return self.masked(value, self.region(value).padded_dims, 0.0, "inf or NaN would reach a valid element")

    def _transferred(self, nodes: Sequence[Node], rows: list[tuple[Value, ...]]) -> list[tuple[Value, Region]]:
        """The new values of a node, by its op's rule, and their regions, which must have the members' sizes."""
        first = nodes[0].op
        if self.family.is_known(rows[0]):
            return [self._known(row) for row in rows]
        if isinstance(first, Const):
            return [self._weight(rows[0])]
        transfer = TRANSFERS.get(type(first))
        if transfer is None:
            raise Refusal("nothing is known of what it makes of padding")
        self.variants = [node.op for node in nodes]
        changing = [name for name in varying(self.variants) if name not in transfer.varying]
        if changing:
            raise Refusal(f"its {changing[0]} follows a length")
        self._refuse_unexplained(rows[0], transfer.known)
        op = self._with_operands(first, rows[0])
        if isinstance(op, ops.Mul):
            self._certain_product(op)
        values, regions = transfer.rule(op, self)
        values = values if isinstance(values, tuple) else (values,)
        regions = regions if isinstance(regions, tuple) else (regions,)
        for row, value, region in zip(rows, values, regions, strict=True):
            self._check(row, value, region)
        return list(zip(values, regions, strict=True))

    def _known(self, row: Row) -> tuple[Value, Region]:
        """A constant; one that no length explains is as it is for the first member, for rules that look closer."""
        try:
            return self.constants.value(row)
        except Refusal as refusal:
            self.unexplained[row] = f"%{row[0].name}: {refusal}"
            return self.constants.first(row)

    def _refuse_unexplained(self, row: Row, known: frozenset[str]) -> None:
        """Refuse constants that no length explains, but for operands at whose members the op's rule looks itself."""
        allowed = {id(getattr(self.variants[0], name)) for name in known}
        for operand in self.family.operands(row):
            if operand in self.unexplained and id(operand[0]) not in allowed:
                raise Refusal(self.unexplained[operand])

    def _weight(self, row: Row) -> tuple[Value, Region]:
        if len({value.op for value in row}) > 1:
            raise Refusal("its weights are not the same at all lengths")
        value = self.builder(row[0].op, row[0].name)
        return value, self.region(value)

    def _with_operands(self, op: Op, row: tuple[Value, ...]) -> Op:
        """The op on the new values: one value of the first member may be in several rows, so they go in order."""
        values = iter([self.new[operand] for operand in self.family.operands(row)])

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
