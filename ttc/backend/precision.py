"""Values that a bf16 program computes in fp32: positions, durations, angles, and prefix sums.

bf16 holds 1000 and 1004 but no number between: the sine of a position in bf16 is noise, and so is a comparison of
two positions. The rule:

- A prefix sum (or product) of floats is computed in fp32, whatever it sums.
- A value computed from inputs, integers, constants and prefix sums by arithmetic, elementary functions, reductions,
  look-ups and moves alone (`Exactness.KEPT`) is exact so far. Such a value stays in fp32 up to the op where exactness
  matters: a sine, a cosine, a rounding, a remainder, a comparison, a cast to integers (`Facts.decides`), another prefix
  sum, or a difference of two exact values (`_cancels`), in which only the last bits of both are left: the distance of
  a coordinate from the elements around it. Values computed from such a difference by these ops, the weights of an
  interpolation, are in fp32 too.
- The angle of a spectrum turns with the last bits of its small parts. So where waves, sums and products
  (`Exactness.SIGNAL`) end in an atan2, the computation is in fp32 from exact numbers, or the last activation, on, the
  weights too: a pitch that a network has rounded turns all of a spectrum alike, a rounded signal its small parts at
  random.
- A state that a run computes from what the run before has left (a running mean, a sum) is a sum over runs, of which
  bf16 would lose the small parts in the end. Such a state, and what leads from its old numbers to the new by these ops,
  is in fp32; a state whose old numbers are only moved and chosen from (a cache of keys and values) is not.
- All other values are rounded, activations above all: these are rounded to bf16 before, and wider arithmetic
  afterwards brings nothing back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ttc import ops
from ttc.ir import Graph, Input, Node, Op, Value
from ttc.ops.facts import Exactness, facts_of


def wide_values(graph: Graph) -> frozenset[Value]:
    """Return the values to compute in fp32 (booleans and integers among them that floats decide)."""
    exact = _carried(graph, _keeps_exact)
    signals = {value for node in graph.nodes if not _is_lost(node.op) for value in node.results}
    decisions, differences, angles = _sums_over_runs(graph), set[Value](), set[Value]()
    for node in _varying(graph):
        if _sums(node.op) or _decides(node.op, exact):
            decisions.add(node.results[0])
        if _cancels(node.op, exact) or (
            exact.issuperset(node.results) and not differences.isdisjoint(node.op.operands())
        ):
            differences.update(node.results)
        if isinstance(node.op, ops.Atan2) and node.op.a in signals:
            angles.add(node.results[0])
    wide = _leading(graph, exact, decisions | differences) | _leading(graph, signals, angles)
    return wide | _both_sides(graph, wide)


def _sums_over_runs(graph: Graph) -> set[Value]:
    """Return what leads from the old numbers of a state to the new, where these are computed."""
    outputs, found = dict(graph.outputs), set[Value]()
    for name, before in graph.states.items():
        reached = {before} if before.dtype.is_float else set()
        for node in graph.nodes:
            if not reached.isdisjoint(node.op.operands()) and _keeps_exact(node.op):
                reached.update(value for value in node.results if value.dtype.is_float)
        way = _leading(graph, reached, {outputs.get(name, before)} & reached)
        if any(_computes(value.op) for value in way):
            found |= way
    return found


def _both_sides(graph: Graph, wide: frozenset[Value]) -> frozenset[Value]:
    """Return both sides of the states that are wide on one."""
    outputs = dict(graph.outputs)
    pairs = ({before, outputs.get(name, before)} for name, before in graph.states.items() if before.dtype.is_float)
    return frozenset(value for pair in pairs if not wide.isdisjoint(pair) for value in pair)


def _computes(op: Op) -> bool:
    """Return whether an op gives numbers that no operand holds."""
    match op:
        case Input() | ops.Pad() | ops.Scatter(reduce=""):
            return False
    return not facts_of(op).moves


def _carried(graph: Graph, carries: Callable[[Op], bool]) -> set[Value]:
    """Return the values that inputs, integers, constants and prefix sums give by ops that `carries` accepts."""
    known: set[Value] = set()
    for node in graph.nodes:
        if _is_exact(node.op) or (carries(node.op) and known.issuperset(node.op.operands())):
            known.update(node.results)
    return known


def _varying(graph: Graph) -> Iterator[Node]:
    """Return the nodes whose results differ from run to run."""
    varying: set[Value] = set()
    for node in graph.nodes:
        if isinstance(node.op, Input) or any(x in varying for x in node.op.operands()):
            varying.update(node.results)
            yield node


def _leading(graph: Graph, known: set[Value], wanted: set[Value]) -> frozenset[Value]:
    """Return the wanted values, and the values of `known` that lead to them."""
    found = set(wanted)
    for node in reversed(graph.nodes):
        if not found.isdisjoint(node.results):
            found.update(x for x in node.op.operands() if x in known and not x.dtype.is_integer)
    return frozenset(found)


def _is_exact(op: Op) -> bool:
    """Return whether a value is as exact as can be whatever its operands are."""
    return not op.operands() or _sums(op) or (isinstance(op, ops.Cast) and op.x.dtype.is_integer)


def _keeps_exact(op: Op) -> bool:
    """Return whether an op rounds only in its own arithmetic."""
    return facts_of(op).exactness is Exactness.KEPT or (isinstance(op, ops.Matmul) and _is_outer(op))


def _is_lost(op: Op) -> bool:
    """Return whether an op is an activation or a layer, which round in any case."""
    return bool(op.operands()) and facts_of(op).exactness is Exactness.LOST


def _sums(op: Op) -> bool:
    return isinstance(op, (ops.Cumsum, ops.Cumprod)) and op.x.dtype.is_float


def _decides(op: Op, known: set[Value]) -> bool:
    """Return whether an op makes a decision on exact floats."""
    floats = [x for x in op.operands() if x.dtype.is_float]
    if not floats or not known.issuperset(floats):
        return False
    return facts_of(op).decides or (isinstance(op, ops.Cast) and op.dtype.is_integer)


def _cancels(op: Op, known: set[Value]) -> bool:
    """Return whether an op subtracts one exact float from another, neither of them one number everywhere."""
    match op:
        case ops.Sub(a=a, b=b) if a.dtype.is_float:
            return a in known and b in known and ops.number_of(a) is None and ops.number_of(b) is None
    return False


def _is_outer(op: ops.Matmul) -> bool:
    """Return whether a product sums nothing: positions times frequencies."""
    return op.a.shape[-1] == 1
