"""Values that each step of a loop reads, held in L1 for the loop: weights and states."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ttc.analysis.residency import HEADROOM, l1_bank, replay, schedule, workspace
from ttc.backend.plan.place import place, runs_alike_in_l1
from ttc.backend.plan.remade import remade, standing_memory
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Call, spec_of
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.loop import Clone, Loop
from ttc.calls.matmul import Matmul
from ttc.calls.target import Target
from ttc.ir import DRAM, L1, Body, Graph, Input, MemoryConfig, Node, Op, Spec, Value
from ttc.ir.names import take_name


def hold_in_loops(graph: Graph, target: Target) -> Graph:
    """Move what a loop carries, and what each of its steps reads, to L1 for the loop, where that fits.

        %h0 = ttnn.clone(%zero, memory_config=DRAM)             %h0 = ttnn.clone(%zero, memory_config=L1)
        %h, %y = loop(carried=[%h0], captured=[%r])     ->      %r.held = ttnn.to_memory_config(%r, L1)
                                                                %h.held, %y = loop(carried=[%h0], captured=[%r.held])
                                                                %h = ttnn.to_memory_config(%h.held, DRAM)

    The smallest come first. What the body itself places in L1 has its room before them.
    """
    chosen = {node.results: values for node, values in _choices(graph, target) if values}
    if not chosen:
        return graph
    cloned = {value for values in chosen.values() for value in values if isinstance(value.op, Clone)}
    moves = _Moves({value.name for value in graph.values()}, {}, [])
    for node in graph.nodes:
        if node.results in chosen:
            _hold(node, chosen[node.results], moves)
            continue
        op = node.op.with_operands(moves.now)
        moves.nodes.append(remade(node, op, L1 if cloned.intersection(node.results) else None))
        moves.new.update(zip(node.results, moves.nodes[-1].results, strict=True))
    return replace(
        graph, nodes=tuple(moves.nodes), outputs=tuple((name, moves.now(value)) for name, value in graph.outputs)
    )


# ---------------------------------------------------------------- what is held


def _choices(graph: Graph, target: Target) -> list[tuple[Node, set[Value]]]:
    """List the loops, each with the operands to hold."""
    loops = [(place, node) for place, node in enumerate(graph.nodes) if isinstance(node.op, Loop)]
    if not loops:
        return []
    in_use, uses = replay(schedule(graph, target), target).in_use, graph.uses()
    found = []
    for position, node in loops:
        loop = node.op
        assert isinstance(loop, Loop)
        body = replay(schedule(place(loop.body, target), target), target)
        own = workspace(loop, target)
        room = l1_bank(target) - HEADROOM - body.peak - (in_use[position] - own.buffers - own.circular_buffers)
        values = [value for value in _steady(loop) if not isinstance(value.op, Clone) or uses[value] == 1]
        found.append((node, _fitting(values, room, target)))
    return found


def _steady(loop: Loop) -> list[Value]:
    """List the operands in DRAM that are the same buffer in each step, and that all calls of the body take from L1."""
    readers = loop.body.readers()
    return [
        outer
        for outer, inner in zip(loop.operands(), loop.body.inputs, strict=True)
        if (outer in loop.captured or (outer in loop.carried and isinstance(outer.op, Clone)))
        and spec_of(outer).memory == DRAM
        and all(_takes(node.op) for node in readers[inner])
    ]


def _takes(op: Op) -> bool:
    """Return whether a call may read any operand from L1; a product of batches has the same bound in all memories."""
    match op:
        case Matmul(core_grid=None, transpose_a=False, transpose_b=False):
            return any(size != 1 for size in op.input_tensor_b.shape[:-2])
    return isinstance(op, Call) and runs_alike_in_l1(op)


def _fitting(values: list[Value], room: int, target: Target) -> set[Value]:
    """Choose values that fit into so many bytes of each core together, the smallest first."""
    chosen: set[Value] = set()
    for value in sorted(dict.fromkeys(values), key=lambda value: spec_of(value).stored_bytes):
        room -= bank_bytes(replace(spec_of(value), memory=L1), target)
        if room < 0:
            break
        chosen.add(value)
    return chosen


# ---------------------------------------------------------------- rebuilding the program


@dataclass
class _Moves:
    """A program in the making: the names taken, what stands for each value, and the nodes so far."""

    names: set[str]
    new: dict[Value, Value]
    nodes: list[Node]

    def now(self, value: Value) -> Value:
        """Return what stands for a value."""
        return self.new.get(value, value)

    def moved(self, value: Value, memory: MemoryConfig, name: str) -> Value:
        """Add the move of a value, and return the result."""
        op = ToMemoryConfig(value, memory)
        self.nodes.append(Node(op, (Value(op, op.infer(), name, 0, value.location),)))
        return self.nodes[-1].results[0]

    def held_name(self, value: Value) -> str:
        """Return a name that no value has yet."""
        return take_name(f"{value.name}.held", self.names)


def _hold(node: Node, chosen: set[Value], moves: _Moves) -> None:
    """Add a loop with the chosen operands in L1, and the moves before and after."""
    loop = node.op
    assert isinstance(loop, Loop)
    inside = {value: moves.now(value) for value in loop.operands()}
    for value in sorted(chosen & set(loop.captured), key=loop.captured.index):
        inside[value] = moves.moved(inside[value], L1, moves.held_name(value))
    held = {inner for outer, inner in zip(loop.operands(), loop.body.inputs, strict=True) if outer in chosen}
    after = replace(loop.with_operands(inside.__getitem__), body=_body(loop.body, held))
    back = [value in chosen for value in loop.written]
    results = tuple(
        Value(after, spec, moves.held_name(old) if moved else old.name, old.index, old.location)
        for spec, old, moved in zip(after.result_types(), node.results, back, strict=True)
    )
    moves.nodes.append(Node(after, results))
    for old, result, moved in zip(node.results, results, back, strict=True):
        moves.new[old] = moves.moved(result, DRAM, old.name) if moved else result


def _body(body: Body, held: set[Value]) -> Body:
    """Return a body with some of its inputs in L1, all else where it was."""
    new: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in body.nodes:
        op = node.op.with_operands(lambda value: new.get(value, value))
        if held.intersection(node.results):
            assert isinstance(op, Input)
            assert isinstance(op.type, Spec)
            op = replace(op, type=replace(op.type, memory=L1))
        nodes.append(remade(node, op, standing_memory(node, op)))
        new.update(zip(node.results, nodes[-1].results, strict=True))
    outputs = tuple((name, new[value]) for name, value in body.outputs)
    return Body(tuple(nodes), outputs, body.weights)
