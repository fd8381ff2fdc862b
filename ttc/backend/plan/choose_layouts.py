"""Layouts: every value in TILE or ROW_MAJOR such that the fewest conversions remain, by a minimum cut.

A *side* is the object that a layout is decided for: a flexible call (its position) or an input (its value); where the
layout is given, the side is that `Layout`. TILE is the cut's source, ROW_MAJOR its sink.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

import networkx

from ttc.analysis.cost.price import call_seconds
from ttc.backend.plan.sharding.price import DOUBT
from ttc.calls.call import PLAIN_FLOATS, Call, once_a_kind, spec_of
from ttc.calls.layout import ToLayout, ToMemoryConfig
from ttc.calls.shape import Permute, Reshape
from ttc.calls.sizes import same_places
from ttc.calls.target import Target
from ttc.errors import TtcError
from ttc.ir import Buffer, Builder, Const, Graph, Input, Layout, Node, Op, Spec, Value
from ttc.ir.rewrite import settled

Side = Layout | int | Value

CONVERSION = 1 << 48
"""Weight of a conversion beside its bytes: fewest calls first, then fewest bytes."""

LONG = 1 << 13
"""Elements of a result below which a call loses less time in rows, which a core has whole, than a conversion takes."""

REFUSED = 1 << 80
"""Weight of a conversion that TTNN refuses."""


def choose_layouts(graph: Graph, target: Target) -> Graph:
    """Choose all layouts anew and convert only where sides differ; existing conversions are forgotten.

        %x: bf16[8,8] tile dram = input(name="x")         %x: bf16[8,8] row_major dram = input(name="x")
        %a: ... tile dram = ttnn.relu(%x)              -> %a: ... row_major dram = ttnn.relu(%x)
        %b: ... row_major dram = ttnn.to_layout(%a, ROW_MAJOR)
        %c: ... row_major dram = ttnn.reads_rows(%b)      %c: ... row_major dram = ttnn.reads_rows(%a)

    Flexible calls run in either layout, other calls as they stand. A call that loses more time in rows than conversions
    of its result take weighs as these do. The host uploads inputs and constants and reads outputs in either; a value
    read in both is converted once, a constant uploaded twice. What a run leaves of a state has the layout in which the
    next run takes the state.
    """
    in_rows = any(_in_rows_on_device(value) for value in graph.values())
    if not in_rows and not any(_moves_lines(node) or _cuts_tiles(node, target) for node in graph.nodes):
        return graph
    sides = [_side(position, node, target) for position, node in enumerate(graph.nodes)]
    source = _sources(graph)
    flow = _flow(_demands(graph, sides, source))
    lost_in_rows = once_a_kind(lambda call: _lost_in_rows(call, target))
    for position, node in enumerate(graph.nodes):
        if sides[position] == position and (conversions := lost_in_rows(node.op)):  # type: ignore[arg-type]
            flow.add_edge(Layout.TILE, position, capacity=conversions * CONVERSION)
    rows = _rows_side(flow)
    layouts = [_decided(side, rows) for side in sides]
    return _rebuilt(graph, layouts, source)


def _in_rows_on_device(value: Value) -> bool:
    spec = spec_of(value)
    return spec.layout is Layout.ROW_MAJOR and spec.memory.buffer is not Buffer.HOST


def _decided(side: Side | None, rows: set[Side]) -> Layout | None:
    if side is None or isinstance(side, Layout):
        return side
    return Layout.ROW_MAJOR if side in rows else Layout.TILE


# ---------------------------------------------------------------- who may choose


def _side(position: int, node: Node, target: Target) -> Side | None:
    """Return the side of all of a node's tensors; None for a node that keeps every layout as it stands."""
    match node.op:
        case Input():
            return node.results[0]
        case Permute() if _moves_lines(node):
            return Layout.ROW_MAJOR
        case Reshape() if _cuts_tiles(node, target):
            return Layout.ROW_MAJOR
        case Call(flexible=True) as call:
            stands = spec_of(node.results[0]).layout
            other = Layout.TILE if stands is Layout.ROW_MAJOR else Layout.ROW_MAJOR
            return position if _runs_in(call, other, node.results) else stands
    return None


def _moves_lines(node: Node) -> bool:
    """Return whether whole lines of a model's input change places.

    In rows such an input is uploaded as it is, and splitting its lines into groups is a view; in tiles that is a device
    program as the permute is, both over the padding of each group.
    """
    match node.op:
        case Permute(input_tensor=Value(op=Reshape(input_tensor=Value(op=Input()) as source)) as split, dims=dims):
            return dims[-1] == len(dims) - 1 and dims[-2] != len(dims) - 2 and split.shape[-1] == source.shape[-1]
    return False


def _cuts_tiles(node: Node, target: Target) -> bool:
    """Return whether a reshape takes longer in tiles, row by row, than into rows, where it is a view, and back."""
    if not isinstance(node.op, Reshape) or not _is_view_in_rows(node.op):
        return False
    tiles, rows = (_in(node.op, layout) for layout in (Layout.TILE, Layout.ROW_MAJOR))
    made = Value(rows, rows.infer(), "")
    conversions = (ToLayout(tiles.input_tensor, Layout.ROW_MAJOR), ToLayout(made, Layout.TILE))
    return call_seconds(tiles, target) > sum(call_seconds(conversion, target) + DOUBT for conversion in conversions)


def _is_view_in_rows(call: Reshape) -> bool:
    """Return whether a reshape of plain floats moves elements in tiles, and none in rows."""
    spec = spec_of(call.input_tensor)
    plain = spec.dtype in PLAIN_FLOATS and spec.memory.shard is None and call.padded_shape is None
    return plain and same_places(spec.shape, call.shape, False) and not same_places(spec.shape, call.shape, True)


def _in(call: Call, layout: Layout) -> Any:
    """Return a call with all its operands in a layout."""
    return call.with_operands(lambda value: replace(value, type=replace(spec_of(value), layout=layout)))


def _runs_in(call: Call, layout: Layout, results: tuple[Value, ...]) -> bool:
    """Return whether a call takes all its tensors in `layout`, and gives its present results in that layout."""
    try:
        types = _in(call, layout).result_types()
    except TtcError:
        return False
    return all(
        isinstance(new, Spec) and new.layout is layout and new.shape == old.shape and new.dtype is old.dtype
        for new, old in zip(types, results, strict=True)
    )


def _lost_in_rows(call: Call, target: Target) -> int:
    """Return how many conversions of its result a call's lost time is worth in rows: one core has all of a long row."""
    if call.result_types()[0].numel < LONG:
        return 0
    asked = [_in(call, layout) for layout in (Layout.ROW_MAJOR, Layout.TILE)]
    in_rows, in_tiles = (call_seconds(call, target) for call in asked)
    (result,) = asked[0].result_types()
    conversion = ToLayout(Value(asked[0], result, ""), Layout.TILE)
    return max(0, int((in_rows - in_tiles) / (call_seconds(conversion, target) + DOUBT)))


def _is_conversion(op: Op) -> TypeGuard[ToLayout]:
    """Return whether an op changes the layout alone; one that moves as well stays, whatever its operand's layout."""
    return isinstance(op, ToLayout) and (op.memory_config is None or op.memory_config == spec_of(op.tensor).memory)


def _sources(graph: Graph) -> dict[Value, Value]:
    """Map each value to the value that it is a conversion of, else to itself."""
    source: dict[Value, Value] = {}
    for node in graph.nodes:
        for value in node.results:
            source[value] = source[node.op.tensor] if _is_conversion(node.op) else value
    return source


# ---------------------------------------------------------------- the cut


@dataclass
class Demand:
    """The side that makes a value, and the sides that read it (as keys, in order)."""

    made: Side
    read: dict[Side, None] = field(default_factory=dict)


def _demands(graph: Graph, sides: list[Side | None], source: dict[Value, Value]) -> dict[Value, Demand]:
    """Map each value that is not a constant to its demand.

    A call that moves its operand to other memory reads the operand in either layout, so such a call demands nothing.
    """
    demands: dict[Value, Demand] = {}
    for node, side in zip(graph.nodes, sides, strict=True):
        if isinstance(node.op, Const) or _is_conversion(node.op):
            continue
        if not isinstance(node.op, ToLayout):
            for operand in node.op.operands():
                demand = demands.get(source[operand])
                if demand:
                    demand.read[spec_of(operand).layout if side is None else side] = None
        for value in node.results:
            demands[value] = Demand(spec_of(value).layout if side is None else side)
    left = dict(graph.outputs)
    for name, state in graph.states.items():
        demand = demands.get(source[left[name]])
        if demand:
            demand.read[state] = None
    return demands


def _flow(demands: dict[Value, Demand]) -> networkx.DiGraph:
    """Build the flow network: for each value and layout one auxiliary node, so that several readers pay once."""
    flow = networkx.DiGraph()
    flow.add_nodes_from(Layout)
    for value, demand in demands.items():
        if all(isinstance(side, Layout) for side in (demand.made, *demand.read)):
            continue
        to_rows, to_tiles = (value, Layout.ROW_MAJOR), (value, Layout.TILE)
        # A cut edge is a conversion: made in tiles and read in rows (to_rows), or made in rows and read in tiles.
        flow.add_edge(demand.made, to_rows, capacity=_weight(value, Layout.ROW_MAJOR))
        flow.add_edge(to_tiles, demand.made, capacity=_weight(value, Layout.TILE))
        flow.add_edges_from((to_rows, side) for side in demand.read)
        flow.add_edges_from((side, to_tiles) for side in demand.read)
    return flow


def _weight(value: Value, layout: Layout) -> int:
    """Return the weight in the cut of converting `value` to `layout`."""
    spec = spec_of(value)
    before = replace(spec, layout=Layout.TILE if layout is Layout.ROW_MAJOR else Layout.ROW_MAJOR)
    try:
        after = ToLayout(replace(value, type=before), layout).infer()
    except TtcError:
        return REFUSED
    return CONVERSION + before.stored_bytes + after.stored_bytes


def _rows_side(flow: networkx.DiGraph) -> set[Side]:
    """Return the ROW_MAJOR sides of the minimum cut with the fewest such sides; only regions that meet rows are cut."""
    inner = flow.subgraph([node for node in flow if not isinstance(node, Layout)])
    near_rows = {*flow.predecessors(Layout.ROW_MAJOR), *flow.successors(Layout.ROW_MAJOR)}
    rows: set[Side] = set()
    for region in networkx.weakly_connected_components(inner):
        if near_rows.isdisjoint(region):
            continue
        part = flow.subgraph([*region, *Layout])
        _, sink_side = networkx.minimum_cut(part, Layout.TILE, Layout.ROW_MAJOR)[1]
        rows |= sink_side
    return rows


# ---------------------------------------------------------------- rebuilding the program


def _rebuilt(graph: Graph, layouts: list[Layout | None], source: dict[Value, Value]) -> Graph:
    """Rebuild the program with its nodes in `layouts` (None: as they stand), converted where layouts differ."""
    builder = Builder(graph.weights)
    new: dict[Value, Value] = {}
    for node, layout in zip(graph.nodes, layouts, strict=True):
        if _is_conversion(node.op):
            if new.get(node.op.tensor) is node.op.tensor:
                builder.keep(node)  # readers that keep the converted value find it under its name
            continue
        builder.at(node.results)
        results = _placed(node, layout, new, source, builder)
        new.update(zip(node.results, results, strict=True))
    states = graph.states
    outputs = ((name, new[source[value]], states.get(name)) for name, value in graph.outputs)
    left = {
        name: value if state is None else _in_layout(value, spec_of(new[state]).layout, builder)
        for name, value, state in outputs
    }
    return settled(graph, builder.finish(left))


def _placed(
    node: Node, layout: Layout | None, new: dict[Value, Value], source: dict[Value, Value], builder: Builder
) -> Iterable[Value]:
    names = tuple(value.name for value in node.results)
    match node.op:
        case Input(type=Spec() as spec) as op if spec.layout is not layout:
            assert layout is not None
            return builder.add(replace(op, type=replace(spec, layout=layout)), names)
        case ToLayout(tensor=tensor, memory_config=memory) as op:
            assert memory is not None
            value = new[source[tensor]]
            same = spec_of(value).layout is op.layout
            return builder.add(ToMemoryConfig(value, memory) if same else replace(op, tensor=value), names)
    op = node.op.with_operands(lambda value: _in_layout(new[source[value]], layout or spec_of(value).layout, builder))
    return builder.again(node, op)


def _in_layout(value: Value, layout: Layout, builder: Builder) -> Value:
    """Return a value in a layout: as it is, uploaded in the layout if it is a constant, else converted."""
    spec = spec_of(value)
    if spec.layout is layout or spec.memory.buffer is Buffer.HOST:
        return value
    if isinstance(value.op, Const):
        return builder.add(replace(value.op, type=replace(spec, layout=layout)), (value.name,))[0]
    return builder.add(ToLayout(value, layout), (value.name,))[0]
