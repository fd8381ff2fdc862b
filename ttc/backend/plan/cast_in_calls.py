"""Dtypes of results: calls convert what they compute, in place of typecasts after them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from ttc.calls.binary import CastingCall
from ttc.calls.call import PLAIN_FLOATS, spec_of
from ttc.calls.layout import Typecast
from ttc.calls.logic import Comparison, LogicalCall
from ttc.calls.repeat import Expand
from ttc.calls.shape import Reshape
from ttc.calls.target import Target
from ttc.ir import Builder, DType, Graph, Node, Op, Value, rebuilt

EXACT = frozenset({DType.f32, DType.i32})
"""Dtypes of operands that TTNN computes with as they are, and converts the result of by the typecast's own function."""

MOVES = (Reshape, Expand)
"""Calls that move elements of any dtype, which a typecast before them suits as well."""

Wants = dict[Value, set[DType | None]]
"""The floating dtypes that readers cast a value to, reshaped or not; None stands for all other readers."""


def cast_in_calls(graph: Graph, target: Target) -> Graph:
    """Let calls give their results in the dtypes that typecasts make of these.

        %m: i32[1,96] = ttnn.lt(%steps, %length)     %m: bf16[1,96] = ttnn.lt(%steps, %length, dtype=bf16)
        %r: i32[96,1] = ttnn.reshape(%m, ..)         %r: bf16[96,1] = ttnn.reshape(%m, ..)
        %c: bf16[96,1] = ttnn.typecast(%r, bf16)  -> %y = ttnn.where(%r, %x, 0.0)
        %y = ttnn.where(%c, %x, 0.0)

    A result that is wanted in several dtypes is computed for each, if only one operand is as large: a typecast reads as
    much.
    """
    wants = _wants(graph)
    given = {value: None for value in graph.values() if isinstance(value.op, Typecast) and _gives(value.op, wants)}
    asked, read = _asked(given), _read(graph, given)
    builder = Builder(graph.weights)
    cast: dict[tuple[Value, DType], Value] = {}

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...] | None:
        for value in node.results:
            for dtype in asked.get(value, ()):  # where the call stands: an operand may be overwritten before the cast
                cast[value, dtype] = builder(_casting(node.op, dtype, new, cast), value.name)
        if isinstance(node.op, Typecast) and node.results[0] in given:
            return (cast[node.op.input_tensor, node.op.dtype],)
        unread = isinstance(node.op, (CastingCall, *MOVES)) and node.results[0] not in read
        return () if unread else None

    return rebuilt(graph, builder, new_results)


def _wants(graph: Graph) -> Wants:
    wants: Wants = {value: set() for node in graph.nodes for value in node.results}
    for value in (value for _, value in graph.outputs):
        wants[value].add(None)
    for node in reversed(graph.nodes):
        for operand in node.op.operands():
            match node.op:
                case Typecast(dtype=dtype) if dtype in PLAIN_FLOATS:
                    wants[operand].add(dtype)
                case op if isinstance(op, MOVES):
                    wants[operand] |= wants[node.results[0]]
                case _:
                    wants[operand].add(None)
    return wants


def _asked(given: Collection[Value]) -> dict[Value, list[DType]]:
    """Return the dtypes in which the results of calls are asked for, and those of the moves between them and a cast."""
    asked: dict[Value, list[DType]] = {}
    for cast in given:
        (value,) = cast.op.operands()
        for asking in (*_moved(value), _source(value)):
            if cast.dtype not in (dtypes := asked.setdefault(asking, [])):
                dtypes.append(cast.dtype)
    return asked


def _moved(value: Value) -> Iterator[Value]:
    """Yield a value and what it is moved from, up to the result of a call that moves nothing."""
    while isinstance(value.op, MOVES):
        yield value
        (value,) = value.op.operands()


def _source(value: Value) -> Value:
    """Return the result of the call whose elements a value has, in other places or not."""
    while isinstance(value.op, MOVES):
        (value,) = value.op.operands()
    return value


def _read(graph: Graph, given: Collection[Value]) -> set[Value]:
    """Return the values that are read once the casts `given` read the operands of the calls that give them."""
    read = {value for _, value in graph.outputs}
    for node in reversed(graph.nodes):
        if any(value in given for value in node.results):
            read.update(_source(*node.op.operands()).op.operands())
        elif not isinstance(node.op, (CastingCall, *MOVES)) or node.results[0] in read:
            read.update(node.op.operands())
    return read


def _gives(cast: Typecast, wants: Wants) -> bool:
    """Return whether the call whose result is cast, reshaped or not, gives that dtype without a program more."""
    moved, value = [*_moved(cast.input_tensor)], _source(cast.input_tensor)
    if any(None in wants[each] for each in moved) or (moved and None in wants[value]):
        return False
    if cast.dtype not in PLAIN_FLOATS or not _converts(value):
        return False
    if cast.memory_config not in (None, spec_of(cast.input_tensor).memory):
        return False
    whole = sum(operand.type.numel == value.type.numel for operand in value.op.operands())
    return len(wants[value]) == 1 or whole <= 1


def _converts(value: Value) -> bool:
    """Return whether TTNN converts the result of a call as a typecast does: of 32 bits, or of the numbers 1 and 0."""
    call = value.op
    if not isinstance(call, CastingCall) or call.dtype or call.output_tensor or call.activations:
        return False
    return isinstance(call, (Comparison, LogicalCall)) or all(operand.dtype in EXACT for operand in call.tensors)


def _casting(call: Op, dtype: DType, new: Mapping[Value, Value], cast: Mapping[tuple[Value, DType], Value]) -> Op:
    """Return a call that gives its result in another dtype, or moves what another gives so."""
    if isinstance(call, CastingCall):
        return replace(call.with_operands(new.__getitem__), dtype=dtype)
    return call.with_operands(lambda moved: cast[moved, dtype])
