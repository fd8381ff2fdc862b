"""One set of weights for the programs of several buckets: what is derived alike is kept once, under one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ttc.ir import Builder, Const, Graph, Node, TensorType, Value, Weights
from ttc.ir.names import take_name
from ttc.ir.state import state_name
from ttc.pipeline import Build
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import weight_types


def share_weights(builds: Sequence[Build]) -> tuple[tuple[Bucket, ...], Graph]:
    """Return the buckets with references that mean the same in all of them, and the one graph that derives these."""
    if len(builds) == 1:
        return (builds[0].bucket,), builds[0].derivations
    known = {ref: weight for build in builds for ref, weight in build.derivations.weights.items()}
    builder = Builder(Weights(known))
    names: dict[tuple[Value, TensorType], str] = {}
    initial: dict[str, Value] = {}
    taken = {name for build in builds for name in build.program.graph.states}
    buckets = []
    for build in builds:
        values = _added(build.derivations, builder)
        types = weight_types(build.program)
        renamed: dict[str, str] = {}
        for ref, value in values.items():
            if state_name(ref) is not None:
                initial[ref] = value
            elif ref in types:
                key = (value, types[ref])
                if key not in names:
                    names[key] = take_name(ref, taken, ".", first=1)
                renamed[ref] = names[key]
        program = replace(build.program, graph=_with_references(build.program.graph, renamed))
        buckets.append(replace(build.bucket, program=program))
    shared = {ref: value for (value, _), ref in names.items()}
    return tuple(buckets), builder.finish({**shared, **initial})


def _added(derivations: Graph, builder: Builder) -> dict[str, Value]:
    """Return a graph's outputs, its ops added to what the builder has already."""
    new: dict[Value, Value] = {}
    for node in derivations.nodes:
        results = builder.add(node.op.with_operands(new.__getitem__), tuple(value.name for value in node.results))
        new.update(zip(node.results, results, strict=True))
    return {ref: new[value] for ref, value in derivations.outputs}


def _with_references(graph: Graph, renamed: dict[str, str]) -> Graph:
    """Return the program with other names for its weights."""
    new: dict[Value, Value] = {}
    nodes = []
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Const):
            op = op if renamed[op.ref] == op.ref else replace(op, ref=renamed[op.ref])
        else:
            op = op.with_operands(new.__getitem__)
        if op is not node.op:
            node = Node(op, tuple(replace(value, op=op) for value in node.results))
        nodes.append(node)
        old = graph.nodes[len(nodes) - 1].results
        new.update(zip(old, node.results, strict=True))
    return Graph(tuple(nodes), tuple((name, new[value]) for name, value in graph.outputs), graph.weights)
