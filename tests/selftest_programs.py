"""Records the programs of `ttc selftest`: python -m tests.selftest_programs

One for each kind of call, type of its first operand, and whether tiles have padding: the call alone, from the first
sample whose program has such a one, with the calls that prepare what no input can be. The record goes to
ttc/selftest/programs.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tests.sample import built
from tests.samples import SAMPLES
from ttc.calls.attention import FillImplicitTilePadding
from ttc.calls.call import Call, spec_of
from ttc.calls.host import HostOp
from ttc.calls.layout import Deallocate
from ttc.calls.loop import Loop, StepCall
from ttc.calls.target import TARGETS
from ttc.errors import TtcError
from ttc.ir import TILE, Buffer, Builder, Graph, Input, Layout, Spec, Value, bodies, round_up, verify
from ttc.ir.verify import MISFITS
from ttc.pipeline import Build
from ttc.selftest.programs import RECORD

DTYPES = ("bf16", "fp32", "bfp8")
PLACING = ("place", "deallocate_after_last_use")
LARGEST = 1 << 20
"""Bytes of a program's inputs: larger ones of the same kind are passed over."""


def recorded(builds: Iterable[Build]) -> dict[str, str]:
    """The programs' texts by name, from the samples' programs."""
    found: dict[str, str] = {}
    calls = [call for build in builds for call in _calls(before_placement(build))]
    filled = (in_whole_tiles(call, least) for least in (1, TILE) for call in calls)
    for call in (*calls, *filter(None, filled)):
        name = name_of(call)
        if name not in found and sum(spec_of(value).stored_bytes for value in call.operands()) <= LARGEST:
            found[name] = str(alone(call))
    return dict(sorted(found.items()))


def sampled() -> Iterator[Build]:
    """The samples' programs, in every dtype."""
    found = (built(sample, TARGETS["n150"], dtype) for dtype in DTYPES for sample in SAMPLES)
    return (build for build in found if isinstance(build, Build))


def before_placement(build: Build) -> Graph:
    """A program as lowering leaves it, so that layouts are those that rules ask for, and all in DRAM."""
    return next(graph for stage, graph in reversed(build.steps) if stage not in PLACING)


def _calls(graph: Graph) -> Iterator[Call]:
    """A program's calls and those of bodies, as they are at the first step; none of the host's."""
    for node in graph.nodes:
        for body in bodies(node.op):
            yield from _calls(body)
        prepares = any(spec_of(value).padded for value in node.results)  # as part of what reads it
        if isinstance(node.op, Call) and not isinstance(node.op, (Deallocate, HostOp)) and not prepares:
            yield node.op.at(0) if isinstance(node.op, StepCall) else node.op


def name_of(call: Call) -> str:
    """The name of the kind: call, type, and whether a tile of the first tensor in tiles holds less than it could."""
    specs = list(map(spec_of, call.operands())) or [type for type in call.result_types() if isinstance(type, Spec)]
    tiled = [spec for spec in specs if spec.layout is Layout.TILE and spec.memory.buffer is not Buffer.HOST]
    parts = "rows" if not tiled else "parts of tiles" if _ends_inside(tiled[0]) else "whole tiles"
    return f"{call.mnemonic} {specs[0].dtype}, {parts}"


def _ends_inside(spec: Spec) -> bool:
    return any(size % TILE for size in (1, 1, *spec.shape)[-2:])


def in_whole_tiles(call: Call, least: int) -> Call | None:
    """The call on operands whose last two sizes are filled up, 1 to `least`; None where it takes no such operands."""
    if isinstance(call, Loop) or any(map(prepared, call.operands())):
        return None
    filled: dict[Value, Value] = {}
    for value in call.operands():
        shape = value.shape if least == 1 else (*(1,) * (2 - value.type.rank), *value.shape)
        rest, last = shape[:-2], shape[-2:]
        sizes = (*rest, *(least if size == 1 else round_up(size, TILE) for size in last))
        filled[value] = replace(value, type=replace(spec_of(value), shape=sizes))
    try:
        after = call.with_operands(filled.__getitem__)
        after.result_types()
    except (TtcError, *MISFITS):
        return None
    assert isinstance(after, Call)
    return after


def alone(call: Call) -> Graph:
    """A program of the call on inputs."""
    builder = Builder()
    new: dict[Value, Value] = {}

    def operand(value: Value) -> Value:
        if value not in new:
            if prepared(value):
                results = builder.add(value.op.with_operands(operand))
                new.update(zip((value,), results, strict=True))
            else:
                new[value] = builder(Input(spec_of(value), f"x{len(builder._nodes)}"))
        return new[value]

    results = builder.add(call.with_operands(operand))
    return verify(builder.finish((f"y{number}", value) for number, value in enumerate(results)))


def prepared(value: Value) -> bool:
    """Whether only a call makes such a value: weights in TTNN's own order, masks whose padding is filled."""
    made = isinstance(value.op, FillImplicitTilePadding) or bool(spec_of(value).padded)
    return isinstance(value.op, Call) and made


def listed(programs: dict[str, str]) -> str:
    """JSON with a line for each program."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(text)}" for name, text in programs.items()) + "\n}\n"


if __name__ == "__main__":
    RECORD.write_text(listed(recorded(sampled())))
