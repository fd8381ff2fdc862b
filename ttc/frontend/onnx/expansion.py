"""The size of a model with its functions written out and its loops unrolled, known before that is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from onnx import GraphProto, ModelProto, NodeProto

from ttc.frontend.onnx.functions import Body, Key, key_of
from ttc.guard.budget import DEPTH, NODES, within


class Expansion:
    """A counter of nodes: functions count at each call, bodies once for each step of the loops around them."""

    def __init__(self, model: ModelProto, bodies: Mapping[Key, Body]):
        self._model, self._bodies = model, bodies
        self._sizes: dict[Key, int] = {}
        self._open: list[Key] = []
        self._times = 1
        self._imported = 0

    def check(self) -> None:
        """Check the model's size with all functions written out, every loop taken once; Refusal if too large."""
        within(self._size(self._model.graph.node), NODES, "nodes, functions written out,")

    def import_node(self) -> None:
        """Count one node as it is imported; Refusal if these become too many."""
        self._imported += 1
        within(self._imported, NODES, "nodes, functions written out and loops unrolled,")

    @contextmanager
    def repeated(self, body: GraphProto, steps: int) -> Iterator[None]:
        """Count the body of a loop `steps` times inside; Refusal if that is too much with the loops around the body."""
        within(self._times * steps * self._size(body.node), NODES, "nodes, loops unrolled,")
        before, self._times = self._times, self._times * max(steps, 1)
        try:
            yield
        finally:
            self._times = before

    @property
    def nested(self) -> bool:
        """Return whether a loop is being unrolled."""
        return self._times > 1

    def _size(self, nodes: Iterable[NodeProto]) -> int:
        return sum(1 + self._called(node) + self._held(node) for node in nodes)

    def _called(self, node: NodeProto) -> int:
        """Count the nodes of the model's own function that a node calls."""
        key = key_of(node)
        if key not in self._bodies or key in self._open:  # what calls itself is refused where it is imported
            return 0
        if key not in self._sizes:
            within(len(self._open) + 1, DEPTH, "functions in functions")
            self._open.append(key)
            self._sizes[key] = self._size(self._bodies[key].function.node)
            self._open.pop()
        return self._sizes[key]

    def _held(self, node: NodeProto) -> int:
        """Count the nodes of the graphs inside a node, of which an If takes one."""
        return max((self._size(item.g.node) for item in node.attribute if item.HasField("g")), default=0)
