"""Static single assignment with types, immutable and straight-line: `Op`, `Value`, `Node`, `Graph`, `Builder`.

An op is a frozen dataclass whose fields are its operands (`Value`s) and attributes. A value knows the
op that defines it, so `match` reads a pattern as it is written:

    case Relu(x=Value(Linear(x, w, bias))): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, cast

from ttc.errors import TypeRuleError
from ttc.guard.budget import NODES, within
from ttc.ir.state import state_name
from ttc.ir.types import Type
from ttc.ir.weights import Weights


def snake_case(name: str) -> str:
    """Return `LayerNorm` as `layer_norm`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Op:
    """One operation. Subclasses are frozen dataclasses and give `infer` (result type or types).

    `effect` marks an op that must stay even if no op reads a result (and is never shared). A field called `type` is
    declared on the left of a text line, not among the arguments.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]  # every subclass is a dataclass
    registry: ClassVar[dict[str, type[Op]]] = {}
    mnemonic: ClassVar[str]
    effect: ClassVar[bool] = False

    def __init_subclass__(cls, abstract: bool = False, name: str | None = None, **keywords: Any):
        super().__init_subclass__(**keywords)
        if not abstract:
            cls.mnemonic = name or snake_case(cls.__name__)
            known = Op.registry.setdefault(cls.mnemonic, cls)
            assert known is cls, f"two ops are named {cls.mnemonic}"

    @property
    def key(self) -> Hashable:
        """Return the key by which two ops are equal; overridden where `==` is too coarse (0.0 and -0.0)."""
        return self

    def infer(self) -> Type | tuple[Type, ...]:
        """Infer the result type, a tuple for several results, () for none; TypeRuleError or Refusal otherwise."""
        raise NotImplementedError(f"{type(self).__name__} has no type rule")

    def result_types(self) -> tuple[Type, ...]:
        """Return the inferred types of all results, as a tuple for one result too; raise as `infer`."""
        types = self.infer()
        return types if isinstance(types, tuple) else (types,)

    def overwrites(self) -> tuple[Value, ...]:
        """Return the operands whose numbers are gone afterwards, as a result lies in their place."""
        return ()

    def operands(self) -> tuple[Value, ...]:
        """Return all operand values in field order, lists flattened, absent ones left out."""
        found = self.__dict__.get("_operands")
        if found is None:  # ops never change, and passes ask often
            found = self.__dict__["_operands"] = self._find_operands()
        return found

    def _find_operands(self) -> tuple[Value, ...]:
        found: list[Value] = []
        for name in field_names(type(self)):
            item = getattr(self, name)
            if isinstance(item, Value):
                found.append(item)
            elif isinstance(item, tuple):
                found.extend(part for part in item if isinstance(part, Value))
        return tuple(found)

    def with_operands(self, new: Callable[[Value], Value]) -> Op:
        """Return the same op with every operand `v` replaced by `new(v)`; this very op if no operand changes."""
        if all(new(value) is value for value in self.operands()):
            return self
        changed: dict[str, Any] = {}
        for name in field_names(type(self)):
            item = getattr(self, name)
            if isinstance(item, Value):
                changed[name] = new(item)
            elif isinstance(item, tuple) and any(isinstance(part, Value) for part in item):
                changed[name] = tuple(new(part) if isinstance(part, Value) else part for part in item)
        return replace(self, **changed)  # type: ignore[type-var]


@cache
def field_names(cls: type[Op]) -> tuple[str, ...]:
    """Return the fields of an op class, in order."""
    return tuple(f.name for f in fields(cls))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, repr=False)
class Value:
    """One result of an op; compared by identity. `Value(Relu(x))` as a pattern matches a value that a relu defines.

    `location` is the place in the model that the value comes from: the module's path and the source line, or the name
    of an ONNX node; "" where nobody knows. Locations decide nothing.
    """

    op: Op
    type: Type
    name: str
    index: int = 0
    location: str = ""

    __match_args__ = ("op",)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self):
        return self.type.dtype

    @property
    def where(self) -> str:
        """Name the value in a refusal: the op that defines it, its name and its location."""
        place = f" in {self.location}" if self.location not in ("", self.name) else ""
        return f"{self.op.mnemonic} %{self.name}{place}"

    def __repr__(self) -> str:
        return f"%{self.name}: {self.type}"


@dataclass(frozen=True)
class Node:
    """One line of a program: an op and the values it defines."""

    op: Op
    results: tuple[Value, ...]


@dataclass(frozen=True)
class Input(Op):
    """A run-time input, `name` as the user knows it."""

    type: Type
    name: str

    def infer(self) -> Type:
        return self.type


@dataclass(frozen=True)
class Const(Op):
    """A weight by reference; its data, if any, is in the graph's `weights`."""

    type: Type
    ref: str

    def infer(self) -> Type:
        return self.type


@dataclass(frozen=True)
class Graph:
    """A program: nodes in order, named outputs, and the data that `Const` refers to."""

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, Value], ...]
    weights: Weights = field(default_factory=Weights, compare=False)

    @property
    def inputs(self) -> tuple[Value, ...]:
        return tuple(node.results[0] for node in self.nodes if isinstance(node.op, Input))

    @property
    def states(self) -> dict[str, Value]:
        """Return what holds the states before a run, by the name that a state's input and output share."""
        inputs = ((value.op, value) for value in self.inputs)
        return {op.name: value for op, value in inputs if isinstance(op, Input) and state_name(op.name) is not None}

    def values(self) -> Iterator[Value]:
        for node in self.nodes:
            yield from node.results

    def uses(self) -> Counter[Value]:
        """Count the reads of each value; being an output counts as one read."""
        count = Counter(value for node in self.nodes for value in node.op.operands())
        count.update(value for _, value in self.outputs)
        return count

    def readers(self) -> dict[Value, list[Op]]:
        """List the ops that read each value, in order; outputs read none."""
        found: dict[Value, list[Op]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.op.operands()):
                found.setdefault(value, []).append(node.op)
        return found

    def signature(self) -> tuple[dict[str, Type], dict[str, Type]]:
        """Return input and output types by name."""
        inputs = {node.op.name: node.results[0].type for node in self.nodes if isinstance(node.op, Input)}
        return inputs, {name: value.type for name, value in self.outputs}

    def __str__(self) -> str:
        from ttc.ir.text import print_graph

        return print_graph(self)


class Builder:
    """Maker of a graph: infers types, names values, shares equal ops, and drops dead ones at `finish`.

    `normal` are rules that put every new op into its normal form (folding, simplifying): their answer replaces the
    op. `uses` counts, during a rewrite, the reads in the original program of the value that a new value stands for.
    `constants` are the values that depend on no input: weights, literals, and values computed from them.
    """

    def __init__(self, weights: Weights | None = None, normal: tuple[Rule, ...] = ()):
        self.weights = weights or Weights()
        self.normal = normal
        self.uses: Counter[Value] = Counter()
        self.constants: set[Value] = set()
        self.hint = ""  # the name of new values that are given none
        self.location = ""  # the location of new values
        self._replaced: Op | None = None  # the op that a rewrite builds others for
        self._nodes: list[Node] = []
        self._known: dict[Hashable, tuple[Value, ...]] = {}  # in order of appearance
        self._names: set[str] = set()
        self._next: dict[str, int] = {}

    def __call__(self, op: Op, name: str | None = None) -> Any:
        """Add an op and return its value, or a tuple of values if the op has not exactly one result."""
        results = self.add(op, (name,) if name else ())
        return results[0] if len(results) == 1 else results

    def add(self, op: Op, names: tuple[str, ...] = ()) -> tuple[Value, ...]:
        """Add an op, or find an equal one, and return its values; `names` are hints, one for each result."""
        return self._shared(op, lambda: self._append(op, names))

    def keep(self, node: Node) -> tuple[Value, ...]:
        """Add a node of another graph unchanged, its values included; as `add` does where a name is taken."""
        names = tuple(value.name for value in node.results)
        if not self._names.isdisjoint(names):
            return self.add(node.op, names)
        return self._shared(node.op, lambda: self._enter(node))

    def again(self, node: Node, op: Op) -> tuple[Value, ...]:
        """Add a node of another graph with `op` in place of its own, under its names and at its location."""
        if op is node.op:
            return self.keep(node)
        return self.add(op, tuple(value.name for value in node.results))

    def at(self, values: tuple[Value, ...], replaced: Op | None = None) -> None:
        """Let new values take the name and location of the first of `values`, which they stand for.

        `replaced`, the op that defines these, over operands of this builder, lets fused ops find their location.
        """
        self.hint, self.location = (values[0].name, values[0].location) if values else ("", "")
        self._replaced = replaced

    def mark(self) -> tuple[int, int]:
        """Return the place in the program so far, for `undo`."""
        return len(self._nodes), len(self._known)

    def undo(self, mark: tuple[int, int]) -> None:
        """Remove the nodes added after `mark`, which a rule built before the rule gave up."""
        nodes, known = mark
        while len(self._known) > known:
            self._known.popitem()
        for node in self._nodes[nodes:]:
            self._names.difference_update(value.name for value in node.results)
            self.constants.difference_update(node.results)
        del self._nodes[nodes:]

    def _shared(self, op: Op, make: Callable[[], tuple[Value, ...]]) -> tuple[Value, ...]:
        """Return the results of an equal op, or of the op's normal form, or of `make`."""
        if op.effect or type(op) is Input:
            return make()
        key = op.key
        found = self._known.get(key)
        if found is None:
            self._known[key] = found = answer(op, self.normal, self) or make()
        return found

    def _append(self, op: Op, names: tuple[str, ...]) -> tuple[Value, ...]:
        types = op.result_types()
        if len(names) != len(types):
            names = (self._hint(op),) * len(types)
        place, pairs = self._location(op), enumerate(zip(types, names, strict=True))
        results = tuple(Value(op, type, self._fresh(name), index, place) for index, (type, name) in pairs)
        return self._enter(Node(op, results))

    def _enter(self, node: Node) -> tuple[Value, ...]:
        within(len(self._nodes) + 1, NODES, "ops")
        self._nodes.append(node)
        self._names.update(value.name for value in node.results)
        if type(node.op) is not Input and not node.op.effect and self.constants.issuperset(node.op.operands()):
            self.constants.update(node.results)
        return node.results

    def _hint(self, op: Op) -> str:
        """Choose a name: a weight's reference, a derived weight's first operand, else the replaced value's name."""
        if isinstance(op, Const):
            return op.ref
        operands = op.operands()
        if operands and self.constants.issuperset(operands):
            return operands[0].name
        return op.name if isinstance(op, Input) else self.hint

    def _location(self, op: Op) -> str:
        """Return the location of the replaced op; for a fused op, that of the part whose operands it has most of.

        So a convolution stays where it was when the activation behind it becomes a part of it.
        """
        if isinstance(op, (Input, Const)):
            return ""
        if self._replaced is None or op is self._replaced:
            return self.location
        operands = set(op.operands())
        location, most = self.location, len(operands.intersection(self._replaced.operands()))
        for part in self._replaced.operands():
            shared = len(operands.intersection(part.op.operands()))
            if shared > most:
                location, most = part.location, shared
        return location

    def _fresh(self, hint: str) -> str:
        """Return a name not yet taken, and take it: the hint itself, or its stem with the next number."""
        name = re.sub(r"[^A-Za-z0-9_.]+", "_", hint).strip("_")
        if name and name not in self._names:
            self._names.add(name)
            return name
        stem = re.sub(r"_\d+$", "", name)
        while not name or name in self._names:
            number = self._next.get(stem, 0)
            self._next[stem] = number + 1
            name = f"{stem}_{number}" if stem else str(number)
        self._names.add(name)
        return name

    def finish(self, outputs: Iterable[tuple[str, Value]] | Mapping[str, Value]) -> Graph:
        """Return the graph, without the nodes that no output, effect or input signature needs."""
        listed = outputs.items() if isinstance(outputs, Mapping) else outputs
        pairs = tuple(cast("Iterable[tuple[str, Value]]", listed))
        live: set[int] = {id(value) for _, value in pairs}
        kept: list[Node] = []
        for node in reversed(self._nodes):
            if node.op.effect or isinstance(node.op, Input) or any(id(r) in live for r in node.results):
                kept.append(node)
                live.update(id(value) for value in node.op.operands())
        kept.reverse()
        graph = Graph(tuple(kept), pairs)
        refs = {node.op.ref for node in kept if isinstance(node.op, Const)}
        refs.update(name for state in graph.states if (name := state_name(state)))
        return replace(graph, weights=self.weights.only(refs))


Rule = Callable[[Op, Builder], "Value | tuple[Value, ...] | None"]


def answer(op: Op, rules: tuple[Rule, ...], builder: Builder) -> tuple[Value, ...]:
    """Return the answer of the first rule that answers for `op`; () if no rule does."""
    for rule in rules:
        found = rule(op, builder)
        if found is not None:
            return found if isinstance(found, tuple) else (found,)
    return ()


def require(condition: bool, message: str) -> None:
    """Raise a TypeRuleError with `message` unless `condition` holds: the way to write a type rule."""
    if not condition:
        raise TypeRuleError(message)
