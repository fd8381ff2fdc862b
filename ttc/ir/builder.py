"""The builder, which makes graphs: it infers types, names values, shares equal ops and drops dead ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

from ttc.guard.budget import NODES, within
from ttc.ir.graph import Const, Graph, Input, Node, Op, Value
from ttc.ir.rules import Rules, answer
from ttc.ir.state import state_name
from ttc.ir.weights import Weights

NO_NAME = re.compile(r"[^A-Za-z0-9_.]+")
"""Characters that stand in no name."""

NUMBER = re.compile(r"_\d+$")
"""The number at the end of a name that was taken."""


class Builder:
    """Maker of a graph: infers types, names values, shares equal ops, and drops dead ones at `finish`.

    `normal` are rules that put every new op into its normal form (folding, simplifying): their answer replaces the
    op. `uses` counts, during a rewrite, the reads in the original program of the value that a new value stands for.
    `constants` are the values that depend on no input: weights, literals, and values computed from them.
    """

    shares: ClassVar[bool] = True

    def __init__(self, weights: Weights | None = None, normal: Rules | None = None):
        self.weights = weights or Weights()
        self.normal = normal
        self.uses: Counter[Value] = Counter()
        self.constants: set[Value] = set()
        self.hint = ""  # the name of new values that are given none
        self.location = ""  # the location of new values
        self._replaced: Op | None = None  # the op that a rewrite builds others for
        self._nodes: list[Node] = []
        self._unlisted: list[Node] = []  # those at the end of the nodes that names and known ops do not hold yet
        self._known: dict[Hashable, tuple[Value, ...]] = {}  # in order of appearance
        self._added = 0  # how many of the known ops were not listed in bulk
        self._names: set[str] = set()
        self._next: dict[str, int] = {}

    @classmethod
    def over(cls, graph: Graph, normal: Rules | None = None) -> Builder:
        """Make an empty builder of a graph that takes another's place, whose reads and constants the builder knows."""
        builder = cls(graph.weights, normal)
        builder.uses = graph.uses()
        builder.constants.update(graph.constants)
        return builder

    def __call__(self, op: Op, name: str | None = None) -> Any:
        """Add an op and return its value, or a tuple of values if the op has not exactly one result."""
        results = self.add(op, (name,) if name else ())
        return results[0] if len(results) == 1 else results

    def add(self, op: Op, names: tuple[str, ...] = ()) -> tuple[Value, ...]:
        """Add an op, or find an equal one, and return its values; `names` are hints, one for each result."""
        return self._shared(op, self._append, op, names)

    def keep(self, node: Node) -> tuple[Value, ...]:
        """Add a node of another graph unchanged, its values included; as `add` does where a name is taken."""
        self._list()
        for value in node.results:
            if value.name in self._names:
                return self.add(node.op, tuple(value.name for value in node.results))
        return self._shared(node.op, self._enter, node)

    def keep_all(self, nodes: Sequence[Node]) -> None:
        """Add nodes as `keep` would one by one: all that the builder has are of one shared graph."""
        self._nodes.extend(nodes)
        self._unlisted.extend(nodes)

    def _list(self) -> None:
        """List the names and ops of nodes that were added in bulk: nobody asks for them until an op is added."""
        if not self._unlisted:
            return
        for node in self._unlisted:
            self._names.update(value.name for value in node.results)
            if not node.op.effect and type(node.op) is not Input:
                self._known[node.op.key] = node.results
        self._unlisted.clear()

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
        return len(self._nodes), self._added

    def undo(self, mark: tuple[int, int]) -> None:
        """Remove the nodes added after `mark`, which a rule built before the rule gave up."""
        nodes, added = mark
        while self._added > added:
            self._known.popitem()
            self._added -= 1
        for node in self._nodes[nodes:]:
            self._names.difference_update(value.name for value in node.results)
            self.constants.difference_update(node.results)
        del self._nodes[nodes:]

    def _shared(self, op: Op, make: Callable[..., tuple[Value, ...]], *given: Any) -> tuple[Value, ...]:
        """Return the results of an equal op, or of the op's normal form, or of `make`, which takes what is given."""
        self._list()
        if op.effect or type(op) is Input:
            return make(*given)
        key = op.key
        found = self._known.get(key)
        if found is None:
            self._known[key] = found = self.normal_form(op) or make(*given)
            self._added += 1
        return found

    def is_normal(self, op: Op) -> bool:
        """Return whether an op is known to be in the builder's normal form."""
        return self.normal is None or op.__dict__.get("_normal") is self.normal

    def normal_form(self, op: Op) -> tuple[Value, ...]:
        """Return the results that stand for an op in the builder's normal form; () for an op that is in that form."""
        if self.is_normal(op) or op.effect or type(op) is Input:
            return ()
        assert self.normal is not None
        found = answer(op, self.normal, self)
        if not found:  # what an op's normal form is depends on its operands alone, which never change
            op.__dict__["_normal"] = self.normal
        return found

    def _append(self, op: Op, names: tuple[str, ...]) -> tuple[Value, ...]:
        types = op.result_types()
        if len(names) != len(types):
            names = (self._hint(op),) * len(types)
        place, pairs = self._location(op), enumerate(zip(types, names, strict=True))
        results = [Value(op, type, self._fresh(name), index, place) for index, (type, name) in pairs]
        return self._enter(Node(op, tuple(results)))

    def _enter(self, node: Node) -> tuple[Value, ...]:
        within(len(self._nodes) + 1, NODES, "ops")
        self._nodes.append(node)
        for value in node.results:
            self._names.add(value.name)
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
        name = NO_NAME.sub("_", hint).strip("_")
        if name and name not in self._names:
            self._names.add(name)
            return name
        stem = NUMBER.sub("", name)
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
        live = {value for _, value in pairs}
        kept: list[Node] = []
        for node in reversed(self._nodes):
            if node.op.effect or isinstance(node.op, Input) or not live.isdisjoint(node.results):
                kept.append(node)
                live.update(node.op.operands())
        kept.reverse()
        graph = Graph(tuple(kept), pairs, shared=self.shares)
        refs = {node.op.ref for node in kept if isinstance(node.op, Const)}
        refs.update(name for state in graph.states if (name := state_name(state)))
        return replace(graph, weights=self.weights.only(refs))
