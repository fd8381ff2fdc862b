"""The plan of a program's runs: calls of the set-up, calls of every run, and each value's last use."""

from __future__ import annotations

from dataclasses import dataclass

from ttc.calls.call import Call, spec_of
from ttc.calls.layout import Deallocate
from ttc.calls.loop import Loop, StepCall
from ttc.ir import Body, Buffer, Const, Graph, Input, Node, Value
from ttc.ir.state import state_name


@dataclass(frozen=True)
class Step:
    """A call, its position among the graph's nodes, and the values whose last use the call is; a loop's inner steps."""

    index: int
    call: Call
    results: tuple[Value, ...]
    releases: tuple[Value, ...]
    inner: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Plan:
    """`setup` depends on `constants` alone and is done once; `steps` are a run.

    `inputs`, by name, are those that a run has on the device: an input that is only an output too stays on the host,
    unless state is involved, which is on the device alone.
    """

    constants: tuple[Value, ...]
    setup: tuple[Step, ...]
    inputs: tuple[tuple[str, Value], ...]
    steps: tuple[Step, ...]


def plan(graph: Graph) -> Plan:
    """Split a program's calls. A result in L1 is never kept from run to run: its room is planned for one run.

    A kept value or an input is freed when the session drops the tensor, not by the program's `deallocate`: what is kept
    is for every run, and the inputs of a traced run stay where they are.
    """
    constants = tuple(node.results[0] for node in graph.nodes if isinstance(node.op, Const))
    kept = set(constants)
    setup: list[tuple[int, Node]] = []
    steps: list[tuple[int, Node]] = []
    for index, node in enumerate(graph.nodes):
        if not isinstance(node.op, Call):
            continue
        known = kept.issuperset(node.op.operands())
        if isinstance(node.op, Deallocate):
            steps += [] if known or isinstance(node.op.tensor.op, Input) else [(index, node)]
        elif known and not node.op.effect and all(spec_of(v).memory.buffer is not Buffer.L1 for v in node.results):
            kept.update(node.results)
            setup.append((index, node))
        else:
            steps.append((index, node))
    states = set(graph.states.values())
    held = {value for name, value in graph.outputs if state_name(name) is not None or value in states}
    outputs = held | {value for _, value in graph.outputs if not isinstance(value.op, Input)}
    read = {value for _, node in steps for value in node.op.operands()}
    inputs = tuple((v.op.name, v) for v in graph.inputs if isinstance(v.op, Input) and v in read | held)
    return Plan(constants, _with_releases(setup, read | outputs), inputs, _with_releases(steps, kept | outputs))


def _with_releases(nodes: list[tuple[int, Node]], stay: set[Value]) -> tuple[Step, ...]:
    """Return steps that release each value, unless it is to `stay`, after its last use or, if unused, at once."""
    steps: list[Step] = []
    stay = set(stay)
    for index, node in reversed(nodes):
        done = tuple(dict.fromkeys(v for v in (*node.op.operands(), *node.results) if v not in stay))
        stay.update(done)
        assert isinstance(node.op, Call)
        inner = _in_body(node.op.body) if isinstance(node.op, Loop) else ()
        steps.append(Step(index, node.op, node.results, done, inner))
    return tuple(reversed(steps))


def _in_body(body: Body) -> tuple[Step, ...]:
    """Return the inner steps of a loop: every call of the body, whose inputs stay for the next iteration."""
    calls = [(index, node) for index, node in enumerate(body.nodes) if isinstance(node.op, Call)]
    return _with_releases(calls, {*body.inputs, *(value for _, value in body.outputs)})


def call_at(call: Call, step: int) -> Call:
    """Return the call of a loop's body as the call is at one step."""
    return call.at(step) if isinstance(call, StepCall) else call
