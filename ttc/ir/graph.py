"""Static single assignment with types, immutable and straight-line: `Op`, `Value`, `Node`, `Graph`.

An op is a frozen dataclass whose fields are its operands (`Value`s) and attributes. A value knows the
op that defines it, so `match` reads a pattern as it is written:

    case Relu(x=Value(Linear(x, w, bias))): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache, cached_property, wraps
from itertools import chain
from typing import Any, ClassVar, get_args, get_type_hints

from ttc.errors import TypeRuleError
from ttc.ir.state import state_name
from ttc.ir.types import Type
from ttc.ir.weights import Weights


def snake_case(name: str) -> str:
    """Return `LayerNorm` as `layer_norm`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Op:
    """One operation. Subclasses are frozen dataclasses and give `infer` (result type or types).

    `effect` marks an op that must stay even if no op reads a result (and is never shared). `looks_up` marks an op whose
    type rule asks which ops made the operands: all others ask for the operands' types alone. A field called `type` is
    declared on the left of a text line, not among the arguments.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]  # every subclass is a dataclass
    registry: ClassVar[dict[str, type[Op]]] = {}
    mnemonic: ClassVar[str]
    effect: ClassVar[bool] = False
    looks_up: ClassVar[bool] = False

    def __init_subclass__(cls, abstract: bool = False, name: str | None = None, **keywords: Any):
        super().__init_subclass__(**keywords)
        if "infer" in cls.__dict__:
            cls.infer = _once(cls.__dict__["infer"])  # type: ignore[method-assign]
        cls.__hash__ = Op.__hash__  # for which dataclasses make no hash of their own
        if not abstract:
            cls.mnemonic = name or snake_case(cls.__name__)
            known = Op.registry.setdefault(cls.mnemonic, cls)
            assert known is cls, f"two ops are named {cls.mnemonic}"

    def __hash__(self) -> int:
        """Return the hash of the fields, computed once: every builder that keeps an op looks the op up."""
        found = self.__dict__.get("_hash")
        if found is None:
            found = self.__dict__["_hash"] = hash(tuple(map(self.__dict__.__getitem__, field_names(type(self)))))
        return found

    @property
    def key(self) -> Hashable:
        """Return the key by which two ops are equal; overridden where `==` is too coarse (0.0 and -0.0)."""
        return self

    def infer(self) -> Type | tuple[Type, ...]:
        """Infer the result type, a tuple for several results, () for none; TypeRuleError or Refusal otherwise."""
        raise NotImplementedError(f"{type(self).__name__} has no type rule")

    def result_types(self) -> tuple[Type, ...]:
        """Return the inferred types of all results, as a tuple for one result too; raise as `infer`."""
        found = self.__dict__.get("_result_types")
        if found is None:
            types = self.infer()
            found = self.__dict__["_result_types"] = types if isinstance(types, tuple) else (types,)
        return found

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
        for name in operand_fields(type(self)):
            item = self.__dict__[name]
            if isinstance(item, Value):
                found.append(item)
            elif isinstance(item, tuple):
                found += item
        return tuple(found)

    def with_operands(self, new: Callable[[Value], Value], alike: bool = False) -> Op:
        """Return the same op with every operand `v` replaced by `new(v)`; this very op if no operand changes.

        The caller knows that operands that are `alike` have the types of those in whose places they come: so have the
        results then.
        """
        if all(new(value) is value for value in self.operands()):
            return self
        other: Any = object.__new__(type(self))  # what `__post_init__` has checked and filled in depends on no operand
        own, made = self.__dict__, other.__dict__
        made.update((name, own[name]) for name in field_names(type(self)))
        for name in operand_fields(type(self)):
            item = own[name]
            if isinstance(item, Value):
                made[name] = new(item)
            elif isinstance(item, tuple):
                made[name] = tuple(map(new, item))
        if alike and "_result_types" in own and not self.looks_up:
            made["_result_types"] = own["_result_types"]
        return other


def _once(infer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a type rule that infers once for each op, which never changes: every pass and check asks again."""
    name = f"_{infer.__qualname__}"

    @wraps(infer)
    def inferred(op: Op) -> Any:
        found = op.__dict__.get(name)
        if found is None:
            found = op.__dict__[name] = infer(op)
        return found

    return inferred


@cache
def field_names(cls: type[Op]) -> tuple[str, ...]:
    """Return the fields of an op class, in order."""
    return tuple(f.name for f in fields(cls))  # type: ignore[arg-type]


@cache
def operand_fields(cls: type[Op]) -> tuple[str, ...]:
    """Return the fields of an op class whose annotation says `Value`, alone, optional or in a tuple."""
    hints = get_type_hints(cls)
    return tuple(name for name in field_names(cls) if _mentions_value(hints[name]))


def _mentions_value(hint: Any) -> bool:
    return hint is Value or any(map(_mentions_value, get_args(hint)))


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


@dataclass(frozen=True, repr=False)
class Graph:
    """A program: nodes in order, named outputs, and the data that `Const` refers to."""

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, Value], ...]
    weights: Weights = field(default_factory=Weights, compare=False)
    shared: bool = field(default=False, compare=False)
    """Mark of graphs in which a builder has shared equal ops and dropped dead ones."""

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
        return self._uses.copy()

    @cached_property
    def _uses(self) -> Counter[Value]:
        count = Counter(chain.from_iterable(node.op.operands() for node in self.nodes))
        count.update(value for _, value in self.outputs)
        return count

    @cached_property
    def constants(self) -> frozenset[Value]:
        """Return the values that depend on no input: weights, literals, and values computed from them."""
        found: set[Value] = set()
        for node in self.nodes:
            if type(node.op) is not Input and not node.op.effect and found.issuperset(node.op.operands()):
                found.update(node.results)
        return frozenset(found)

    def readers(self) -> dict[Value, list[Node]]:
        """List the nodes that read each value, in order, each once; outputs are no readers."""
        found: dict[Value, list[Node]] = {value: [] for value in self.values()}
        for node in self.nodes:
            for value in dict.fromkeys(node.op.operands()):
                found[value].append(node)
        return found

    def signature(self) -> tuple[dict[str, Type], dict[str, Type]]:
        """Return input and output types by name."""
        inputs = {node.op.name: node.results[0].type for node in self.nodes if isinstance(node.op, Input)}
        return inputs, {name: value.type for name, value in self.outputs}

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        from ttc.ir.text import print_graph

        return print_graph(self)


def require(condition: bool, message: str) -> None:
    """Raise a TypeRuleError with `message` unless `condition` holds: the way to write a type rule."""
    if not condition:
        raise TypeRuleError(message)
