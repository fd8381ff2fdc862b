"""Programs of one call each, recorded from what ttc compiles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ttc.calls.call import Call, spec_of
from ttc.calls.fidelity import with_fidelity
from ttc.calls.target import Target
from ttc.ir import Builder, Graph, Op, Value
from ttc.ir.rewrite import rewrite
from ttc.runtime.run.program import Program, parse_program, storage_type

RECORD = Path(__file__).with_name("programs.json")
"""The programs' texts by name, written by `python -m tests.selftest_programs` for an n150."""


def call_programs(target: Target) -> Iterator[tuple[str, Program]]:
    """Yield names and programs, each of one call, with the math fidelity of the target."""
    for name, text in json.loads(RECORD.read_text()).items():
        graph = for_target(parse_program(text), target)
        inputs, outputs = (
            tuple((name, storage_type(spec_of(value))) for name, value in side)
            for side in (_inputs(graph), graph.outputs)
        )
        yield name, Program(graph, inputs, outputs, target.name, "bf16")


def for_target(graph: Graph, target: Target) -> Graph:
    """Return a program with the math fidelity that its calls have on a target."""

    def rule(op: Op, builder: Builder) -> Value | tuple[Value, ...] | None:
        if not isinstance(op, Call) or (chosen := with_fidelity(op, target)) == op:
            return None
        return builder.add(chosen)

    return rewrite(graph, rule)


def _inputs(graph: Graph) -> Iterator[tuple[str, Value]]:
    return ((value.name, value) for value in graph.inputs)
