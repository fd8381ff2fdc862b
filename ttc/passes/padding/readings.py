"""Readings of one model: graphs at several sizes of the model's lengths, and the correspondence of values.

Graphs are compared from the outputs back. Values correspond where ops, operands and attributes do. Sizes, and the
attributes that a transfer function lets vary, may differ: a size that differs follows a length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.ir import Const, Graph, Input, Node, Op, Value
from ttc.ir.lengths import size_words
from ttc.ops.constant import is_known
from ttc.ops.torch_types import tensor_of

EVALUATED = 1 << 26
"""The most elements of a tensor that is evaluated for comparison."""

Counterparts = tuple[Value, ...]
"""One value of the model: the corresponding values of each reading."""


@dataclass
class Readings:
    """The graphs of one model at several lengths, `sizes` of each by name; the first is the one to compile."""

    graphs: Sequence[Graph]
    sizes: Sequence[Mapping[str, int]]
    _known: list[set[Value]] = field(init=False)
    _places: list[dict[Value, Node]] = field(init=False)
    _tensors: dict[Value, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self):
        self._known = [_known(graph) for graph in self.graphs]
        self._places = [{value: node for node in graph.nodes for value in node.results} for graph in self.graphs]

    @property
    def inputs(self) -> list[Counterparts]:
        """Return the model's inputs, in order."""
        return list(zip(*(graph.inputs for graph in self.graphs), strict=True))

    @property
    def outputs(self) -> list[tuple[str, Counterparts]]:
        """Return the outputs by name; Refusal if the readings have different outputs."""
        names = [[name for name, _ in graph.outputs] for graph in self.graphs]
        if any(other != names[0] for other in names):
            raise Refusal("its outputs are not the same at all lengths")
        values = zip(*([value for _, value in graph.outputs] for graph in self.graphs), strict=True)
        return list(zip(names[0], values, strict=True))

    def nodes(self) -> Iterator[tuple[Node, ...]]:
        """Yield the nodes that outputs depend on, in the first reading's order; known values are leaves.

        In this order a length of the model's own comes before any constant of that size. Refusal where readings
        differ, after all other nodes.
        """
        found: dict[tuple[int, ...], tuple[Node, ...]] = {}
        pending = [values for _, values in self.outputs]
        differing: Refusal | None = None
        while pending:
            values = pending.pop()
            nodes = tuple(places[value] for places, value in zip(self._places, values, strict=True))
            key = tuple(map(id, nodes))
            if key in found:
                continue
            found[key] = nodes
            try:
                pending.extend([] if self.is_known(values) else self.operands(values))
            except Refusal as refusal:
                differing = differing or refusal
                del found[key]
        order = {id(node): number for number, node in enumerate(self.graphs[0].nodes)}
        yield from sorted(found.values(), key=lambda nodes: order[id(nodes[0])])
        if differing:
            raise differing

    def is_known(self, values: Counterparts) -> bool:
        """Return whether a value depends on neither inputs nor weights."""
        return all(value in known for value, known in zip(values, self._known, strict=True))

    def operands(self, values: Counterparts) -> list[Counterparts]:
        """Give the operands of a value's op; Refusal if the readings' ops are different."""
        ops_of = [value.op for value in values]
        if len({type(op) for op in ops_of}) > 1 or len({len(op.operands()) for op in ops_of}) > 1:
            names = ", ".join(
                f"{op.mnemonic} at {size_words(sizes)}" for op, sizes in zip(ops_of, self.sizes, strict=True)
            )
            raise Refusal(f"%{values[0].name} is computed in another way at each length: {names}")
        return list(zip(*(op.operands() for op in ops_of), strict=True))

    def tensors(self, values: Counterparts) -> list[Tensor]:
        """Evaluate a known value in each reading; Refusal if a tensor is too large."""
        return [self._tensor(value, graph) for value, graph in zip(values, self.graphs, strict=True)]

    def _tensor(self, value: Value, graph: Graph) -> Tensor:
        if value not in self._tensors:
            if value.type.numel > EVALUATED:
                raise Refusal(f"{value.type} is too large to be compared")
            match value.op:
                case Const(ref=ref, type=type):
                    found = (tensor_of(graph.weights.read(ref), type.dtype).reshape(type.shape),)
                case op:
                    found = ops.evaluate_op(op, lambda operand: self._tensor(operand, graph))
            self._tensors[value] = found[value.index]
        return self._tensors[value]


def _known(graph: Graph) -> set[Value]:
    """Return the values that depend on neither inputs nor weights."""
    known: set[Value] = set()
    for node in graph.nodes:
        match node.op:
            case ops.Full() | ops.Literal() | Const():
                known.update(filter(is_known, node.results))
            case Input():
                pass
            case op if op.operands() and known.issuperset(op.operands()):
                known.update(node.results)
    return known


def varying(variants: Sequence[Op]) -> list[str]:
    """Name the attributes in which ops of one kind differ."""
    found = []
    for spec in fields(variants[0]):  # type: ignore[arg-type]
        items = [getattr(op, spec.name) for op in variants]
        if any(has_values(item) for item in items):
            continue
        if any(repr(item) != repr(items[0]) for item in items):
            found.append(spec.name)
    return found


def has_values(item: object) -> bool:
    """Return whether an item of an op is an operand or a list of operands."""
    return isinstance(item, Value) or (isinstance(item, tuple) and any(isinstance(part, Value) for part in item))
