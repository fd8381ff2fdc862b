"""States that are written in place: what a run leaves lies where the run before has left the state."""

from __future__ import annotations

from collections.abc import Mapping

from ttc import ops
from ttc.ir import Graph, Node, Op, Value
from ttc.ir.state import state_name
from ttc.ops.facts import facts_of
from ttc.ops.shape import before_reshapes


def written_in_place(graph: Graph) -> dict[Value, list[Op]]:
    """Return the changes of each state that may go into the state's own buffer, of those states that have any.

    Changes are choices between the state and something new (`ops.Where`), and writes into blocks of a pool. Nothing
    else reads the old numbers, and what is left is left as this state alone: no other state is a part of it.
    """
    uses, readers = graph.uses(), {value: node for node in graph.nodes for value in node.op.operands()}
    left = {name: before_reshapes(value) for name, value in graph.outputs if state_name(name) is not None}
    found: dict[Value, list[Op]] = {}
    for name, state in graph.states.items():
        changes, last = _changes(state, uses, readers)
        others = {value for other, value in left.items() if other != name}
        if changes and left.get(name) is before_reshapes(last) and others.isdisjoint(_moved(graph, last)):
            found[state] = changes
    return found


def _changes(state: Value, uses: Mapping[Value, int], readers: Mapping[Value, Node]) -> tuple[list[Op], Value]:
    """Follow a state as long as its numbers have one reader; return the changes on the way, and the end of the way."""
    value, found = state, list[Op]()
    while uses[value] == 1 and value in readers:
        node = readers[value]
        match node.op:
            case ops.Where(b=old) | ops.FillBlocks(pool=old) | ops.WriteRows(pool=old) if old is value:
                found.append(node.op)
            case ops.Reshape():
                pass
            case _:
                break
        value = node.results[0]
    return found, value


def _moved(graph: Graph, value: Value) -> set[Value]:
    """Return what is made of a value by moving elements alone, which on the device may be a view."""
    found = {value, before_reshapes(value)}
    for node in graph.nodes:
        if not found.isdisjoint(node.op.operands()) and facts_of(node.op).moves:
            found.update(node.results)
    return found
