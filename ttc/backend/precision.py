"""Where a bf16 program computes in fp32: positions, durations, angles, and prefix sums.

bf16 knows 1000 and 1004 but no number between: the sine of a position in bf16 is noise, and so is a comparison of
two. The rule:

- A prefix sum (or product) of floats is computed in fp32, whatever it sums.
- What inputs, integers, constants and prefix sums give by arithmetic and movement alone (`TRANSPARENT`) is exact so
  far. It stays in fp32 up to where that matters: a sine, a cosine, a rounding, a remainder, a comparison, a cast to
  integers (`DECISIVE`), or another prefix sum.
- All else is rounded, activations above all: they are rounded to bf16 before, and wider arithmetic after that brings
  nothing back.
"""

from __future__ import annotations

from ttc import ops
from ttc.ir import Graph, Input, Op, Value

COMPARISONS = (ops.Eq, ops.Ge, ops.Gt, ops.Le, ops.Lt, ops.Ne)

TRANSPARENT = (
    ops.Abs, ops.Add, ops.And, ops.Cast, ops.Ceil, ops.Clamp, ops.Concat, ops.Cumsum, ops.Div, ops.Expand, ops.Flip,
    ops.Floor, ops.FloorDiv, ops.Fmod, ops.Maximum, ops.Minimum, ops.Mul, ops.Neg, ops.Not, ops.Or, ops.Pad,
    ops.Permute, ops.Remainder, ops.Repeat, ops.Reshape, ops.Round, ops.Slice, ops.Sub, ops.Trunc, ops.Upsample,
    ops.Where, *COMPARISONS,
)  # fmt: skip
"""Arithmetic and movement that exact numbers come by."""

DECISIVE = (
    ops.Ceil, ops.Cos, ops.Floor, ops.FloorDiv, ops.Fmod, ops.Remainder, ops.Round, ops.Sin, ops.Trunc, *COMPARISONS,
)  # fmt: skip
"""What makes something quite different of a slightly different number."""


def wide_values(graph: Graph) -> frozenset[Value]:
    """The values to compute in fp32 (booleans and integers among them that floats decide)."""
    known: set[Value] = set()
    varying: set[Value] = set()
    wanted: set[Value] = set()
    for node in graph.nodes:
        op, result = node.op, node.results[0]
        if isinstance(op, Input) or any(x in varying for x in op.operands()):
            varying.update(node.results)
        if _is_exact(op, known):
            known.update(node.results)
        if result in varying and (_sums(op) or _decides(op, known)):
            wanted.add(result)
    for node in reversed(graph.nodes):
        if not wanted.isdisjoint(node.results):
            wanted.update(x for x in node.op.operands() if x in known and not x.dtype.is_integer)
    return frozenset(wanted)


def _is_exact(op: Op, known: set[Value]) -> bool:
    """Whether a value is rounded nowhere but in its own arithmetic."""
    if not op.operands() or _sums(op) or (isinstance(op, ops.Cast) and op.x.dtype.is_integer):
        return True
    return isinstance(op, (*TRANSPARENT, ops.Matmul)) and all(x in known for x in op.operands()) and _is_outer(op)


def _sums(op: Op) -> bool:
    return isinstance(op, (ops.Cumsum, ops.Cumprod)) and op.x.dtype.is_float


def _decides(op: Op, known: set[Value]) -> bool:
    """Whether an op makes a decision of exact floats."""
    floats = [x for x in op.operands() if x.dtype.is_float]
    decisive = isinstance(op, DECISIVE) or (isinstance(op, ops.Cast) and op.dtype.is_integer)
    return decisive and bool(floats) and all(x in known for x in floats)


def _is_outer(op: Op) -> bool:
    """A product counts where it sums nothing: positions times frequencies."""
    return not isinstance(op, ops.Matmul) or op.a.shape[-1] == 1
