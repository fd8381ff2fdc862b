"""Runs a pipeline of passes, each checked; knows nothing of what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ttc.errors import TypeRuleError
from ttc.ir import Graph, Spec, verify

Pass = Callable[[Graph], Graph]
Observer = Callable[[str, Graph], None]


def run(pipeline: Iterable[Pass], graph: Graph, observe: Observer | None = None, twice: bool = False) -> Graph:
    """`graph` after every pass in turn; TypeRuleError names the pass that broke it or changed its signature.

    `observe(name, graph)` is told of every pass that changed the text. A pass that finds nothing to do
    returns its very argument, and costs no more than looking. `twice` demands that a pass finds nothing to
    do in its own result: that it leaves no debris.
    """
    verify(graph, "before the first pass")
    for step in pipeline:
        after = _checked(step, graph)
        if twice and str(_checked(step, after)) != str(after):
            raise TypeRuleError(f"{step.__name__} changes its own result when run again")
        if observe and after is not graph and str(after) != str(graph):
            observe(step.__name__, after)
        graph = after
    return graph


def _checked(step: Pass, graph: Graph) -> Graph:
    after = step(graph)
    if after is graph:
        return graph
    verify(after, step.__name__)
    if _outside(after) != _outside(graph):
        before, now = (_words(g) for g in (graph, after))
        raise TypeRuleError(f"{step.__name__} changed the signature from {before} to {now}")
    return after


def _outside(graph: Graph) -> list[list[tuple[str, object]]]:
    """What a user sees of a graph: names and types in order, of calls the shapes, as how they store it is their own."""
    return [
        [(name, type.shape if isinstance(type, Spec) else type) for name, type in side.items()]
        for side in graph.signature()
    ]


def _words(graph: Graph) -> str:
    inputs, outputs = (", ".join(f"{name}: {type}" for name, type in side.items()) for side in graph.signature())
    return f"({inputs}) -> ({outputs})"
