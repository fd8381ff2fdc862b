"""Edges: the host uploads each value in the dtype in which the program reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.target import Target
from ttc.ir import Builder, Const, DType, Graph, Input, Node, Op, Value, rebuilt

INDICES = frozenset({DType.u32, DType.u16})
"""Dtypes of indices: the range check of an upload refuses negative numbers, which a typecast would garble."""


def upload_as_used(graph: Graph, target: Target) -> Graph:
    """Drop the typecasts that the host does for free, by uploading in the dtype that is wanted.

        %i: i32[8] = input(name="i")            %i: u32[8] = input(name="i")
        %u: u32[8] = ttnn.typecast(%i, u32)  -> %e = ttnn.embedding(%i, %w)
        %e = ttnn.embedding(%u, %w)

    An input or constant must be read by typecasts to one dtype alone, and the host must give the same numbers.
    """
    wanted = _wanted(graph)
    builder = Builder(graph.weights)

    def new_results(node: Node, new: Mapping[Value, Value]) -> tuple[Value, ...] | None:
        return _uploaded(node.op.with_operands(new.__getitem__), node.results, wanted, builder)

    return rebuilt(graph, builder, new_results)


def _uploaded(
    op: Op, results: tuple[Value, ...], wanted: dict[Value, DType], builder: Builder
) -> tuple[Value, ...] | None:
    """Return the upload that takes this op's place; None if no upload does."""
    match op:
        case Input() | Const() if results[0] in wanted:
            return builder.add(replace(op, type=replace(op.type, dtype=wanted[results[0]])), (results[0].name,))
        case Typecast(input_tensor=x) if x.type == results[0].type:
            return (x,)  # the upload above has taken the dtype
    return None


def _wanted(graph: Graph) -> dict[Value, DType]:
    """Map each upload to the dtype that all its readers cast it to, changes of layout looked through."""
    casts: dict[Value, set[DType | None]] = {}
    source: dict[Value, Value] = {}
    for node in graph.nodes:
        if isinstance(node.op, (Input, Const)):
            source[node.results[0]] = node.results[0]
            casts[node.results[0]] = set()
        elif isinstance(node.op, ToLayout) and node.op.tensor in source:
            source[node.results[0]] = source[node.op.tensor]
        else:
            cast = node.op.dtype if isinstance(node.op, Typecast) else None
            for operand in node.op.operands():
                if operand in source:
                    casts[source[operand]].add(cast)
    for value in (*(value for _, value in graph.outputs), *graph.states.values()):
        if value in source:
            casts[source[value]].add(None)  # a state's dtype is that of what the run before has left
    return {
        value: dtype
        for value, dtypes in casts.items()
        if len(dtypes) == 1 and (dtype := next(iter(dtypes))) is not None and _host_can(value.dtype, dtype)
    }


def _host_can(source: DType, dtype: DType) -> bool:
    """Return whether uploading as `dtype` gives the same numbers as uploading as `source` and then casting."""
    if source is DType.i32:
        return dtype in INDICES or dtype in (DType.f32, DType.bf16)
    return source is DType.f32 and dtype is DType.bf16
