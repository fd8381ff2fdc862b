"""The estimate of a trace's size: what it counts, and what it does with more cores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.analysis.test_residency import LOOP
from ttc.analysis.report import report
from ttc.analysis.trace_region import BYTES_PER_CORE, BYTES_PER_PROGRAM, ROUNDED, region_sizes
from ttc.calls.target import TARGETS
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
EACH = BYTES_PER_PROGRAM + BYTES_PER_CORE * 64


def chain(calls: int, outputs: int = 1):
    lines = [f"%x{i + 1}: bf16[32,32] tile dram = ttnn.relu(%x{i})" for i in range(calls)]
    results = ", ".join(f'"y{i}"=%x{calls}' for i in range(outputs))
    return parse_program(
        "\n".join(['graph {\n%x0: bf16[32,32] tile dram = input(name="x")', *lines, f"return {results}\n}}"])
    )


@pytest.mark.parametrize(("calls", "outputs"), [(1, 1), (27, 1), (28, 1), (27, 2), (100, 3)])
def test_a_program_for_each_call_and_each_output(calls: int, outputs: int):
    wanted = -(-(calls + outputs) * EACH // ROUNDED) * ROUNDED
    assert region_sizes([chain(calls, outputs)], N150) == (wanted,)
    assert report(chain(calls, outputs), N150).trace_bytes == wanted


def test_a_region_is_a_whole_number_of_mebibytes():
    assert ROUNDED // EACH == 28
    assert [region_sizes([chain(calls)], N150)[0] >> 20 for calls in (27, 28)] == [1, 2]


def test_loops_are_unrolled():
    graph = parse_program(LOOP)
    assert region_sizes([graph], N150)[0] >= report(graph, N150).device_programs * EACH


def test_more_cores_take_more():
    assert region_sizes([chain(400)], TARGETS["p150"])[0] > 1.5 * region_sizes([chain(400)], N150)[0]
    assert region_sizes([chain(400)], replace(N150, grid=(4, 8)))[0] < region_sizes([chain(400)], N150)[0]


def test_what_the_host_does_is_not_traced():
    text = str(chain(1)).replace(
        "ttnn.relu(%x0)",
        'host.run([%x0], op="relu(x=%0)", takes=[<bf16[32,32]>], gives=[<bf16[32,32]>], '
        "results=[<bf16[32,32] tile dram>])",
    )
    assert region_sizes([parse_program(text), chain(1)], N150) == (0, ROUNDED)
