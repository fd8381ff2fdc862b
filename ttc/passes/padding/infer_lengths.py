"""Length inference: from readings of a model at several sizes to one graph with symbolic dimensions.

An op's type rule computes the lengths of the op's results along with the sizes. Where a type rule has no lengths to
compute from (an input, a constant, a size in an attribute), or fails, the sizes of the readings are fitted to the
lengths that the model is known to have. Either way a length must give the sizes of every reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import torch

from ttc import ops
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import Builder, Const, Graph, Input, Node, Op, TensorType, Value, Weights
from ttc.ir.graph import field_names
from ttc.ir.random import random_kind
from ttc.ir.symbolic import SymbolicSize, length_of, parts_of
from ttc.ops.padding import Transfer, transfer_of
from ttc.ops.padding.index import common, taken_apart
from ttc.passes.padding.attributes import explained, symbolic
from ttc.passes.padding.fit import Fits
from ttc.passes.padding.known import Known, understood
from ttc.passes.padding.readings import Counterparts, Readings, has_values, varying


@dataclass(frozen=True)
class Annotated:
    """The first reading, as a graph whose types and attributes have symbolic sizes where they follow a length.

    `limits` are the sizes of the named lengths in the graph, `multiples` numbers that divide the sizes of all readings.
    `known` values depend on neither inputs nor weights. `picked` are the results of lookups, each with the known places
    looked up, where these are the same rows at all lengths, though places may differ. `reasons` name the values left
    out of the graph because no length explains the values' sizes or numbers. `guessed` states whether more readings
    would be needed to make an explanation certain.
    """

    graph: Graph
    limits: Mapping[str, int]
    multiples: Mapping[str, int]
    known: Mapping[Value, Known]
    picked: Mapping[Value, Value]
    reasons: tuple[tuple[str, str], ...]
    guessed: bool


def infer_lengths(readings: Readings) -> Annotated:
    """Explain every size that differs between readings by a length; Refused if an input's sizes follow none."""
    return _Inference(readings).run()


@dataclass
class _Inference:
    """The annotated graph so far."""

    readings: Readings
    fits: Fits = field(init=False)
    values: dict[Counterparts, Value] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    known: dict[Value, Known] = field(default_factory=dict)
    picked: dict[Value, Value] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self):
        self.fits = Fits(self.readings.sizes, self.readings.sizes[0])
        self.literals = Builder(Weights(dict(self.readings.graphs[0].weights)))

    def run(self) -> Annotated:
        for values in self.readings.inputs:
            if not _is_drawn(values):
                self._input(values)
        try:
            for nodes in self.readings.nodes():
                self._node(nodes)
        except Refusal as refusal:
            self.reasons.append(("the model", str(refusal)))
        for values in self.readings.inputs:
            if values not in self.values:
                self._input(values)
        outputs = () if self.reasons else tuple((name, self.values[v]) for name, v in self.readings.outputs)
        graph = Graph(tuple(self.nodes), outputs, self.literals.weights)
        reasons, fits = tuple(self.reasons), self.fits
        return Annotated(graph, fits.limits, fits.multiples, self.known, self.picked, reasons, fits.guessed)

    def _input(self, values: Counterparts) -> None:
        op = values[0].op
        assert isinstance(op, Input)
        try:
            type = TensorType(op.type.dtype, self._sizes(op.type, values))
        except Refusal as refusal:
            raise Refused([(f"the input {op.name!r}", str(refusal))]) from None
        self._add(replace(op, type=type), [values], [type])

    def _node(self, nodes: Sequence[Node]) -> None:
        """Add a node, or record why no length explains the node's sizes."""
        first, rows = nodes[0], list(zip(*(node.results for node in nodes), strict=True))
        if rows[0] in self.values or _is_drawn(rows[0]):
            return
        self._drawn_operands(rows[0])
        if self._is_cut_off(rows[0]):
            return
        try:
            self._annotate(nodes, rows)
        except (Refusal, TypeRuleError) as refusal:
            self.reasons.append((first.results[0].where, str(refusal)))

    def _drawn_operands(self, values: Counterparts) -> None:
        """Add the random inputs that a value is the first to read, after those that the model draws before them.

        Before any op is read only the named lengths are known, of which a quotient could but be guessed.
        """
        operands = [] if self.readings.is_known(values) else self.readings.operands(values)
        if not any(_is_drawn(operand) and operand not in self.values for operand in operands):
            return
        drawn = list(filter(_is_drawn, self.readings.inputs))
        for values in drawn[: max(drawn.index(operand) for operand in operands if _is_drawn(operand)) + 1]:
            if values not in self.values:
                self._input(values)

    def _is_cut_off(self, values: Counterparts) -> bool:
        """Return whether an operand was left out of the graph, for a reason recorded with the operand itself."""
        if self.readings.is_known(values):
            return False
        return any(operand not in self.values for operand in self.readings.operands(values))

    def _annotate(self, nodes: Sequence[Node], rows: list[Counterparts]) -> None:
        if self.readings.is_known(rows[0]):
            for values in rows:
                self._known(values)
            return
        first = nodes[0].op
        if isinstance(first, Const) and len({node.op for node in nodes}) > 1:
            raise Refusal("its weights are not the same at all lengths")
        op = first if isinstance(first, Const) else self._symbolic([node.op for node in nodes], rows[0])
        listed = [TensorType(t.dtype, self._sizes(t, row)) for t, row in zip(op.result_types(), rows, strict=True)]
        self._add(op, rows, listed)
        if isinstance(op, ops.Embedding) and op.index in self.known and self._same_rows(op, rows[0]):
            self.picked[self.values[rows[0]]] = op.index

    def _add(self, op: Op, rows: Sequence[Counterparts], types: Sequence[TensorType]) -> None:
        results = tuple(replace(row[0], op=op, type=type) for type, row in zip(types, rows, strict=True))
        self.nodes.append(Node(op, results))
        self.values.update(zip(rows, results, strict=True))
        for part in (part for type in types for size in type.shape for part in parts_of(size)):
            if isinstance(part, SymbolicSize) and part.length:
                self.fits.add(part.length)

    def _known(self, values: Counterparts) -> None:
        """Add a known value as a constant."""
        tensors = self.readings.tensors(values)
        constant = ops.constant(self.literals, tensors[0].contiguous(), values[0].name)
        type = TensorType(constant.dtype, self._sizes(constant.type, values))
        known = understood(tensors, self.fits)
        self._add(constant.op, [values], [type])
        self.known[self.values[values]] = known

    def _symbolic(self, variants: Sequence[Op], values: Counterparts) -> Op:
        """Rebuild the op on the annotated operands, with symbolic sizes in attributes that follow a length."""
        attributes = _attributes(variants, transfer_of(type(variants[0])))
        op = _on(variants[0], [self.values[operand] for operand in self.readings.operands(values)])
        if not attributes:
            return op
        op = replace(op, **attributes)  # type: ignore[type-var]
        return replace(op, **explained(op, variants, self.fits))

    def _sizes(self, inferred: TensorType, values: Counterparts) -> tuple[int, ...]:
        """Return the sizes from the type rule where these agree with the readings; fit a length to each other size."""
        actual = zip(*(value.shape for value in values), strict=True)
        return tuple(map(self._size, inferred.shape, actual))

    def _size(self, inferred: int, sizes: tuple[int, ...]) -> int:
        if set(sizes) == {1}:  # a length that the model never has more than one position of
            return 1
        return inferred if self._at_each(inferred) == list(sizes) else self.fits.size(sizes)

    def _at_each(self, size: int) -> list[int]:
        """Evaluate a (symbolic) size at the lengths of each reading."""
        lengths = [length_of(part) for part in parts_of(size)]
        return [prod(length.at(sizes) for length in lengths if length) for sizes in self.readings.sizes]

    def _same_rows(self, op: ops.Embedding, values: Counterparts) -> bool:
        """Return whether a lookup at known places picks the same rows in all readings."""
        _, index = self.readings.operands(values)
        rows = [self._at_each(part) for part in parts_of(op.w.shape[0])] or [[1] * len(values)]
        readings = zip(self.readings.tensors(index), zip(*rows, strict=True), strict=True)
        first, *others = (torch.stack(taken_apart(places, sizes)) for places, sizes in readings)
        return all(torch.equal(common(first, other), common(other, first)) for other in others)


def _is_drawn(values: Counterparts) -> bool:
    """Return whether a value is a random input, which the model draws in a size of its own."""
    op = values[0].op
    return isinstance(op, Input) and random_kind(op.name) is not None


def _on(op: Op, operands: Sequence[Value]) -> Op:
    """Rebuild an op on these operands, in order: a value of one reading may correspond to several of another."""
    values = iter(operands)

    def new(item: Any) -> Any:
        if isinstance(item, tuple):
            return tuple(map(new, item))
        return next(values) if isinstance(item, Value) else item

    names = [name for name in field_names(type(op)) if has_values(getattr(op, name))]
    return replace(op, **{name: new(getattr(op, name)) for name in names})  # type: ignore[type-var]


def _attributes(variants: Sequence[Op], transfer: Transfer) -> dict[str, object]:
    """Return the attributes that differ between readings, as symbolic sizes; Refusal for one that must not differ."""
    changing = varying(variants)
    for name in changing:
        if name not in transfer.varying:
            raise Refusal(f"its {name} follows a length")
    return {name: symbolic([getattr(op, name) for op in variants], name) for name in changing}
