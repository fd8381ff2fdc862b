"""The rule of ONNX that a name is defined once: what reads a name that two nodes define would read either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import GraphProto, ModelProto, NodeProto

from ttc.errors import InputError
from ttc.frontend.onnx.functions import key_of_function


def require_unique_names(model: ModelProto, title: str) -> None:
    """Require that no two definitions in a graph, outputs of the model or functions share a name; InputError if so.

    A graph's inputs, weights and its nodes' results are definitions; that an input has a weight of its name, as its
    default, is ONNX's own form. Graphs inside nodes, and functions, are looked at each by itself.
    """
    graph = model.graph
    if name := _repeated(output.name for output in graph.output):
        raise InputError(f"{title} has two outputs called {name!r}")
    if name := _repeated(".".join(filter(None, key_of_function(function))) for function in model.functions):
        raise InputError(f"{title} has two functions called {name!r}")
    bodies = ((function.input, function.node) for function in model.functions)
    for given, nodes in (_contents(graph), *bodies):
        if name := _defined_twice(given, nodes):
            raise InputError(
                f"{title} defines {name!r} twice: the names of a graph's inputs, weights and results must differ "
                "(where models were merged, onnx.compose.add_prefix keeps theirs apart)"
            )


def _defined_twice(given: Iterable[str], nodes: Iterable[NodeProto]) -> str | None:
    """Return a name that a graph, or one inside a node, defines twice; None if there is none."""
    insides = []

    def definitions() -> Iterator[str]:
        yield from given
        for node in nodes:
            yield from filter(None, node.output)
            insides.extend(item.g for item in node.attribute if item.HasField("g"))

    if name := _repeated(definitions()):
        return name
    return next((name for inside in insides if (name := _defined_twice(*_contents(inside)))), None)


def _contents(graph: GraphProto) -> tuple[list[str], Iterable[NodeProto]]:
    """Return the names that a graph is given, weights that are inputs' defaults once, and its nodes."""
    inputs = [item.name for item in graph.input]
    return inputs + list({item.name for item in graph.initializer}.difference(inputs)), graph.node


def _repeated(names: Iterable[str]) -> str | None:
    """Return the first name that stands twice; None if all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
