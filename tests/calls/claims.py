"""Calls of the samples' programs, and one-call programs for every element type that a call claims to take."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

from tests.calls.programs import One, one
from tests.samples import SAMPLES
from ttc.calls.call import BLOCK_FORMATS, Call, spec_of
from ttc.calls.loop import Loop, StepCall
from ttc.calls.spelling import DTYPES as STORED
from ttc.calls.target import TARGETS
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import DType, Graph, Layout, Spec, Value, bodies
from ttc.pipeline import Options, compile_graph


def calls_in(graph: Graph) -> Iterator[Call]:
    """A program's calls, those of bodies as they are at the first step."""
    for node in graph.nodes:
        for body in bodies(node.op):
            yield from calls_in(body)
        if isinstance(node.op, Call) and not isinstance(node.op, Loop):
            yield node.op.at(0) if isinstance(node.op, StepCall) else node.op


def distinct_calls(programs: Iterable[Graph]) -> list[Call]:
    """One call of each kind and set of operand types; without those on the library's own tensors."""
    found: dict[Hashable, Call] = {}
    for program in programs:
        for call in calls_in(program):
            types = tuple((value.dtype, spec_of(value).layout) for value in call.operands())
            if not any(spec_of(value).padded for value in call.operands()):
                found.setdefault((type(call), types), call)
    return list(found.values())


def first_of_each_kind(calls: Iterable[Call]) -> list[Call]:
    """A call of each class."""
    return list({type(call): call for call in reversed(list(calls))}.values())


def sampled_calls() -> list[Call]:
    """The distinct calls of the samples' bf16 and fp32 programs."""
    return distinct_calls(sampled_programs())


def sampled_programs() -> Iterator[Graph]:
    for sample in SAMPLES:
        for dtype in ("bf16", "fp32"):
            try:
                yield compile_graph(sample.graph()[0], Options(TARGETS["n150"], dtype)).program.graph
            except Refused:
                continue


def claims(call: Call) -> list[One]:
    """The call with each element type in the place of another, where its type rule takes that.

    The type changes in all operands that have the other; block formats also in each operand alone, beside the others.
    """
    operands = call.operands()
    together = ([value for value in operands if value.dtype is old] for old in dict.fromkeys(v.dtype for v in operands))
    programs = [with_type(call, places, new) for places in together for new in STORED]
    programs += [with_type(call, [value], new) for value in operands for new in BLOCK_FORMATS]
    return list({program.text: program for program in programs if program}.values())


def with_type(call: Call, places: Sequence[Value], new: DType) -> One | None:
    """The call on operands of another type in some places; None where its type rule does not take that."""
    operands = call.operands()
    specs = [typed(spec_of(value), new) if value in places else spec_of(value) for value in operands]
    try:
        return one(remade(call), *specs)
    except (Refusal, TypeRuleError):
        return None


def remade(call: Call) -> Callable[..., Call]:
    """The function from operands to a call like this one."""
    return lambda *values: call.with_operands(dict(zip(call.operands(), values, strict=True)).__getitem__)  # type: ignore[return-value]


def typed(spec: Spec, new: DType) -> Spec:
    """A spec of this element type, tiled where the type exists in tiles only."""
    return replace(spec, dtype=new, layout=Layout.TILE if new in BLOCK_FORMATS else spec.layout)
