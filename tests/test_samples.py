"""The tests that every op gets from its samples: meaning, text, lowering, emulation, and the real library's word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from tests import selftest_programs
from tests.calls.claims import calls_in
from tests.cards import CARD_AND_DTYPE, FIRST
from tests.mock_cards import check_many
from tests.ops.written import inferred
from tests.sample import DTYPES, built, number_fault, results, type_fault
from tests.samples import SAMPLES
from tests.samples.form import Sample
from ttc import calls
from ttc.calls.call import Call
from ttc.calls.target import TARGETS
from ttc.errors import Refused
from ttc.ir import Graph, Input, Op, bodies, parse_graph, verify
from ttc.pipeline import Build
from ttc.runtime.emulator import EMULATIONS
from ttc.runtime.emulator.numerics import Mode
from ttc.selftest.programs import RECORD
from ttc.validation.accuracy import scaled_error

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@cache
def compiled(index: int, target: str, dtype: str) -> Build | Refused:
    """A sample's program, or the refusal: each compiled once for all tests."""
    return built(SAMPLES[index], TARGETS[target], dtype)


@each_sample
def test_type_rule_agrees_with_meaning(sample: Sample):
    assert not type_fault(sample)


@each_sample
def test_text_round_trips(sample: Sample):
    graph, _ = sample.graph()
    assert str(parse_graph(str(graph))) == str(graph)
    verify(parse_graph(str(graph)))


@each_sample
@each_dtype
def test_program_text_round_trips(sample: Sample, dtype: str):
    for target in FIRST:
        build = compiled(SAMPLES.index(sample), target, dtype)
        if isinstance(build, Build):
            text = str(build.program.graph)
            assert str(verify(parse_graph(text))) == text


@each_sample
@each_dtype
def test_types_of_operands_alone_decide_those_of_results_but_where_an_op_looks_up(sample: Sample, dtype: str):
    """`with_operands` hands types on by this. What was one operand twice is two here."""
    build = compiled(SAMPLES.index(sample), "n150", dtype)
    graphs = [sample.graph()[0], *([build.program.graph] if isinstance(build, Build) else [])]
    for node in (node for graph in graphs for node in graph.nodes if not node.op.looks_up):
        other = node.op.with_operands(lambda value: replace(value, op=Input(value.type, value.name)))
        assert inferred(other) == tuple(value.type for value in node.results)


@each_sample
@each_dtype
def test_lowered_or_refused_with_a_reason(sample: Sample, dtype: str):
    for target in FIRST:
        build = compiled(SAMPLES.index(sample), target, dtype)
        if isinstance(build, Refused):
            assert dtype in sample.refused, f"refused for {target}: {build}"
            assert all(reason for _, reason in build.reasons)
        else:
            assert dtype not in sample.refused, "lowered now: take the refusal out of the sample"


@each_sample
@each_dtype
def test_emulated_program_gives_the_numbers_of_the_op(sample: Sample, dtype: str):
    build = compiled(SAMPLES.index(sample), "n150", dtype)
    if isinstance(build, Refused):
        return
    for found, wanted in results(sample, build, Mode.exact):
        assert not number_fault(sample, dtype, found, wanted)


@pytest.mark.parametrize(("target", "dtype"), CARD_AND_DTYPE)
def test_real_ttnn_accepts_every_program_as_predicted(target: str, dtype: str, ttnn_python: str):
    builds = {index: compiled(index, target, dtype) for index in range(len(SAMPLES))}
    assert not [SAMPLES[i] for i, b in builds.items() if isinstance(b, Refused) and dtype not in SAMPLES[i].refused]
    programs = {index: str(b.program.graph) for index, b in builds.items() if isinstance(b, Build)}
    reports = check_many(list(programs.values()), TARGETS[target])
    faults = [
        f"{SAMPLES[index]}: {report.faults}" for index, report in zip(programs, reports, strict=True) if not report.ok
    ]
    assert not faults, "\n".join(faults)


def test_every_op_has_a_sample():
    sampled = {sample.kind for sample in SAMPLES}
    ours = {kind for kind in Op.registry.values() if kind.__module__.startswith("ttc.ops")}
    assert not {kind.mnemonic for kind in ours - sampled}


def call_classes() -> set[type[Call]]:
    return {kind for kind in Op.registry.values() if issubclass(kind, Call)}


def test_every_call_has_an_emulation_and_every_emulation_a_call():
    assert calls.__name__ == "ttc.calls"
    lifetime = {"ttnn.deallocate"}
    elsewhere = {
        "loop",
        "loop.take",
        "loop.put",
        "loop.view",
        "host.run",
    }  # a device never meets these: a session does them
    emulated = {kind.mnemonic for kind in EMULATIONS}
    assert {kind.mnemonic for kind in call_classes()} - lifetime - elsewhere == emulated - lifetime


CALLS_OF_PATTERNS = {
    "host.run",  # where a user allows it: tests/test_host.py
}
"""Calls that no single op is lowered to, and where they are tested."""


def written_in(graph: Graph) -> Iterator[str]:
    """The names of a program's calls and of those in bodies, as they are written."""
    for node in graph.nodes:
        yield node.op.mnemonic
        for body in bodies(node.op):
            yield from written_in(body)


def test_every_call_is_reached_by_a_sample():
    reached = set()
    for index in range(len(SAMPLES)):
        for target in FIRST:
            for dtype in DTYPES:
                build = compiled(index, target, dtype)
                if isinstance(build, Build):
                    graph = build.program.graph
                    reached |= {call.mnemonic for call in calls_in(graph)} | set(written_in(graph))
    assert {kind.mnemonic for kind in call_classes()} - reached == CALLS_OF_PATTERNS


def test_the_selftest_has_recorded_what_the_samples_give():
    builds = (compiled(index, "n150", dtype) for dtype in selftest_programs.DTYPES for index in range(len(SAMPLES)))
    given = selftest_programs.recorded(build for build in builds if isinstance(build, Build))
    assert RECORD.read_text() == selftest_programs.listed(given), "renew it: python -m tests.selftest_programs"


def test_samples_do_not_fail_silently():
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        assert scaled_error(np.ones(4), np.zeros(4) + 2) <= 1e-5
