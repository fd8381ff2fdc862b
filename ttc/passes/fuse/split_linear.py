"""The pass that computes the parts of a linear's row by linears of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from ttc import ops
from ttc.ir import Builder, Graph, Node, Value, rebuilt
from ttc.ops.expr import Expr, apply
from ttc.passes.normal import builder_for

MOST_ROWS = 32
"""Rows up to which a product costs the reading of the weight alone, however the weight is divided: one row of tiles."""


def split_linear(graph: Graph) -> Graph:
    """Split a linear [rows, N] of few rows that is only read in parts: a linear for each part, and no slices.

    Before:
        %y: f32[1,16] = linear(x=%x, w=%w, bias=%b)
        %s: f32[1,8] = slice(x=%y, starts=[0, 0], ends=[1, 8])
        %t: f32[1,8] = slice(x=%y, starts=[0, 8], ends=[1, 16])
    After:
        %s_0: f32[8,8] = slice(x=%w, starts=[0, 0], ends=[8, 8])
        %s_1: f32[8] = slice(x=%b, starts=[0], ends=[8])
        %s: f32[1,8] = linear(x=%x, w=%s_0, bias=%s_1)
        %t_0: f32[8,8] = slice(x=%w, starts=[8, 0], ends=[16, 8])
        %t_1: f32[8] = slice(x=%b, starts=[8], ends=[16])
        %t: f32[1,8] = linear(x=%x, w=%t_0, bias=%t_1)
    """
    parts = _parts(graph)
    if not parts:
        return graph
    builder = builder_for(graph)

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...] | None:
        return (_part(node, new, builder),) if node.results and node.results[0] in parts else None

    return rebuilt(graph, builder, new_results)


def _parts(graph: Graph) -> set[Value]:
    """Return the slices of linears that have few rows and are read by such slices only, each column at most once."""
    readers = graph.readers()
    outputs = {value for _, value in graph.outputs}
    found: set[Value] = set()
    for node in graph.nodes:
        match node.op:
            case ops.Linear(activation=""):
                product = node.results[0]
                few = product.type.rank == 2 and product.shape[0] <= MOST_ROWS
                reading = _past_reshape(product, readers)
                kept = outputs.isdisjoint({product, *(x for reader in reading for x in reader.op.operands())})
                if few and kept and _are_parts(reading):
                    found.update(reader.results[0] for reader in reading)
    return found


def _past_reshape(product: Value, readers: Mapping[Value, list[Node]]) -> list[Node]:
    """Return the readers of a product [rows, N], or those of the only one, if that adds dimensions of size 1 behind."""
    match [node.op for node in readers[product]]:
        case [ops.Reshape(shape=shape)] if shape[:2] == product.shape and set(shape[2:]) == {1}:
            return readers[readers[product][0].results[0]]
    return readers[product]


def _are_parts(reading: list[Node]) -> bool:
    """Return whether all readers, two or more, take columns that no other one takes, and all rows."""
    columns: list[tuple[int, int]] = []
    for node in reading:
        match node.op:
            # all of x [rows, N] or [rows, N, 1, ..] but in the second dimension, and no steps
            case ops.Slice(x=x, starts=starts, ends=ends, steps=steps) if (
                set(steps) == {1} and starts[0] == 0 and ends[0] == x.shape[0] and ends[2:] == x.shape[2:]
            ):
                columns.append((starts[1], ends[1]))
            case _:
                return False
    return len(columns) > 1 and _apart(columns)


def _apart(columns: Iterable[tuple[int, int]]) -> bool:
    """Return whether intervals do not overlap."""
    return all(end <= start for (_, end), (start, _) in pairwise(sorted(columns)))


def _part(node: Node, new: Mapping[Value, Value], builder: Builder) -> Value:
    """Build columns start .. end of x @ w.T + b as x @ w[start:end].T + b[start:end]."""
    part = node.op
    assert isinstance(part, ops.Slice)
    linear = part.x.op.x.op if isinstance(part.x.op, ops.Reshape) else part.x.op
    assert isinstance(linear, ops.Linear)
    bounds = (part.starts[1], part.ends[1])
    w = Expr(new[linear.w], builder).part(0, *bounds)
    bias = None if linear.bias is None else Expr(new[linear.bias], builder).part(0, *bounds)
    return apply(ops.Linear, Expr(new[linear.x], builder), w, bias).reshape(*node.results[0].shape).value
