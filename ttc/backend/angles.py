"""Where a bf16 program computes in fp32: angles that positions and time steps stand at.

bf16 knows 1000 and 1004 but no number between: the sine of a position in bf16 is noise. What inputs, integers and
constants give by arithmetic alone stays in fp32 up to its sine or cosine. Angles of activations do not: those are
rounded to bf16 before, and wider arithmetic after that brings nothing back.
"""

from __future__ import annotations

from ttc import ops
from ttc.ir import Graph, Input, Op, Value

TRANSPARENT = (
    ops.Add, ops.Sub, ops.Mul, ops.Div, ops.Neg, ops.Cast, ops.Cumsum, ops.Floor, ops.Remainder,
    ops.Reshape, ops.Permute, ops.Slice, ops.Concat, ops.Expand, ops.Repeat, ops.Upsample,
)  # fmt: skip
"""Arithmetic and movement that angles come by."""


def angles(graph: Graph) -> frozenset[Value]:
    """The floating values to keep in fp32: exact angles, what they are computed from, their sines and cosines."""
    known: set[Value] = set()
    wanted: set[Value] = set()
    for node in graph.nodes:
        if _is_exact(node.op, known):
            known.update(node.results)
        if isinstance(node.op, (ops.Sin, ops.Cos)) and node.op.x in known and not _is_constant(node.op.x, graph):
            wanted.update((node.op.x, node.results[0]))
    for node in reversed(graph.nodes):
        if not wanted.isdisjoint(node.results):
            wanted.update(x for x in node.op.operands() if x in known)
    return frozenset(value for value in wanted if value.dtype.is_float)


def _is_exact(op: Op, known: set[Value]) -> bool:
    """Whether a value is rounded nowhere but in its own arithmetic."""
    if isinstance(op, ops.Cast) and op.x.dtype.is_integer:
        return True
    operands = op.operands()
    if not operands:
        return True
    return isinstance(op, (*TRANSPARENT, ops.Matmul)) and all(x in known for x in operands) and _is_outer(op)


def _is_outer(op: Op) -> bool:
    """A product counts where it sums nothing: positions times frequencies."""
    return not isinstance(op, ops.Matmul) or op.a.shape[-1] == 1


def _is_constant(value: Value, graph: Graph) -> bool:
    """Whether no input has a part in a value."""
    pending, seen = [value], set()
    while pending:
        found = pending.pop()
        if isinstance(found.op, Input):
            return False
        if found not in seen:
            seen.add(found)
            pending.extend(found.op.operands())
    return True
