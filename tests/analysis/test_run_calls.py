"""The calls of a run: those that run, with their costs, and the L1 in use meanwhile."""

import json

import pytest

from tests.analysis.test_report import PROGRAM
from tests.analysis.test_residency import LOOP
from ttc.analysis.cost import cost
from ttc.analysis.report import report
from ttc.analysis.residency import replay, schedule
from ttc.analysis.run_calls import run_calls
from ttc.calls.banks import bank_bytes
from ttc.calls.target import TARGETS
from ttc.ir import Graph
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]


def test_what_is_computed_once_is_no_part_of_a_run():
    found = list(run_calls(parse_program(PROGRAM), N150))
    assert [call.node.results[0].name for call in found] == ["a", "b", "c", "d"]
    assert [call.node.op.mnemonic for call in found] == ["ttnn.add", "ttnn.to_layout", "ttnn.relu", "ttnn.relu"]


@pytest.mark.parametrize("text", [PROGRAM, LOOP])
def test_the_report_is_the_sum(text: str):
    graph = parse_program(text)
    found, total = list(run_calls(graph, N150)), report(graph, N150)
    assert sum(call.cost.times for call in found) == total.calls
    assert sum(call.cost.programs for call in found) == total.device_programs
    assert sum(call.cost.dram_bytes for call in found) == total.dram_bytes
    assert sum(call.cost.seconds for call in found) == pytest.approx(total.predicted_seconds)
    assert max(call.l1_per_core for call in found) == total.l1_with_circular_buffers


def test_calls_in_a_loop_have_the_loop_in_front_and_count_for_every_step():
    graph: Graph = parse_program(LOOP)
    loop = graph.nodes[-1].op
    found = {call.node.results[0].name: call for call in run_calls(graph, N150)}
    assert list(found) == ["h0", "y0", "t", "new", "put"]
    assert [call.loops for call in found.values()] == [(), (), ("h_n",), ("h_n",), ("h_n",)]
    assert found["new"].cost == cost(loop.body.nodes[4], N150).repeated(4)
    state = bank_bytes(graph.nodes[2].results[0].type, N150)
    inside = replay(schedule(loop.body, N150), N150).in_use
    assert [found[name].l1_per_core for name in ("t", "new")] == [state + inside[3], state + inside[4]]


def test_json_values():
    graph = parse_program(PROGRAM.replace("relu(%c)", "relu(%c)  # head at m.py:3"))
    node = next(node for node in graph.nodes if node.results and node.results[0].name == "d")
    found = list(run_calls(graph, N150))[-1].to_dict()
    assert json.loads(json.dumps(found)) == {
        "names": ["d"],
        "loops": [],
        "times": 1,
        "call": "ttnn.relu",
        "outputs": [{"shape": [64, 64], "dtype": "bf16", "layout": "row_major", "memory": "dram"}],
        "device_programs": 1,
        "cores": 64,
        "dram_bytes": 2 * 64 * 64 * 2,
        "l1_bytes": 0,
        "l1_per_core": node.op.workspace(N150).circular_buffers,
        "predicted_seconds": cost(node, N150).seconds,
        "bound": "dispatch",
        "location": "head at m.py:3",
    }
