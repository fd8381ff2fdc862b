"""The runner of a pipeline of passes, which verifies the graph after each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ttc.errors import TypeRuleError
from ttc.ir import Graph, Spec, verify

Pass = Callable[[Graph], Graph]
Observer = Callable[[str, Graph], None]


def run(pipeline: Iterable[Pass], graph: Graph, observe: Observer | None = None, twice: bool = False) -> Graph:
    """Run every pass in turn; TypeRuleError names the pass that broke the graph or changed the signature.

    `observe(name, graph)` is called after every pass that did something: one that finds nothing to do returns the very
    graph given. `twice` requires every pass to be idempotent: the pass finds nothing to do
    in the pass's own result.
    """
    verify(graph, "before the first pass")
    for step in pipeline:
        after = _checked(step, graph)
        if twice and str(_checked(step, after)) != str(after):
            raise TypeRuleError(f"{step.__name__} changes its own result when run again")
        if observe and after is not graph:
            observe(step.__name__, after)
        graph = after
    return graph


def _checked(step: Pass, graph: Graph) -> Graph:
    """Run one pass; TypeRuleError unless the result is well formed and has the signature of `graph`."""
    after = step(graph)
    if after is graph:
        return graph
    verify(after, step.__name__)
    if _outside(after) != _outside(graph):
        before, now = (_words(g) for g in (graph, after))
        raise TypeRuleError(f"{step.__name__} changed the signature from {before} to {now}")
    return after


def _outside(graph: Graph) -> list[list[tuple[str, object]]]:
    """List names and types of inputs and outputs in order; of a graph of calls the shapes, as layouts may change."""
    return [
        [(name, type.shape if isinstance(type, Spec) else type) for name, type in side.items()]
        for side in graph.signature()
    ]


def _words(graph: Graph) -> str:
    """Print a graph's signature."""
    inputs, outputs = (", ".join(f"{name}: {type}" for name, type in side.items()) for side in graph.signature())
    return f"({inputs}) -> ({outputs})"
