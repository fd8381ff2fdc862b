"""What loops hold in L1: program text before and after, near misses, bytes, and the real library's word."""

from __future__ import annotations

import pytest

from tests.backend.rules.test_recurrent import recurrence
from tests.cards import EACH_CARD
from tests.ir.loops import LOOP
from tests.mock_cards import check
from ttc import ops
from ttc.analysis.liveness import Liveness
from ttc.analysis.run_calls import run_calls
from ttc.backend.plan.hold_in_loops import hold_in_loops
from ttc.calls.call import spec_of
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.loop import Loop
from ttc.calls.target import TARGETS
from ttc.ir import Buffer, Graph, verify
from ttc.pipeline import Options, compile_graph
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
NAMED = LOOP.replace("ttnn.matmul(%h, %r)", "ttnn.matmul(%h, %r, core_grid=CoreGrid(y=8, x=8))")


def loop_of(graph: Graph) -> Loop:
    return next(node.op for node in graph.nodes if isinstance(node.op, Loop))


def held(graph: Graph) -> list[str]:
    """The names of the operands in L1."""
    return [value.name for value in loop_of(graph).operands() if spec_of(value).memory.buffer is Buffer.L1]


def lines(graph: Graph) -> list[str]:
    return [line.strip() for line in str(graph).splitlines()]


def test_weights_and_states_lie_in_l1_and_the_state_comes_back():
    after = verify(hold_in_loops(parse_program(NAMED), N150))
    found = lines(after)
    assert held(after) == ["h0", "r.held"]
    assert "%h0: bf16[1,1,2,64] tile l1 = ttnn.clone(%zero, memory_config=MemoryConfig(buffer=L1))" in found
    assert "%r.held: bf16[1,1,64,64] tile l1 = ttnn.to_memory_config(%r, MemoryConfig(buffer=L1))" in found
    assert "%h_n: bf16[1,1,2,64] tile dram = ttnn.to_memory_config(%h_n.held, MemoryConfig())" in found
    assert "%p: bf16[1,1,2,64] tile dram = ttnn.matmul(%h, %r, core_grid=CoreGrid(y=8, x=8))" in lines(after)
    assert hold_in_loops(after, N150) is after
    assert {name: str(value.type) for name, value in after.outputs} == {
        "y": "bf16[4,1,2,64] tile dram",
        "h_n": "bf16[1,1,2,64] tile dram",
    }


def test_a_product_of_one_matrix_that_names_no_cores_reads_dram():
    """TTNN would multiply another way beside L1."""
    after = hold_in_loops(parse_program(LOOP), N150)
    assert held(after) == []


def test_a_product_of_batches_holds_its_weight():
    text = LOOP.replace("[4,1,2,64]", "[4,2,2,64]").replace("[4, 1, 2, 64]", "[4, 2, 2, 64]")
    text = text.replace("[1,1,2,64]", "[1,2,2,64]").replace("[1,1,64,64]", "[1,2,64,64]")
    assert held(verify(hold_in_loops(verify(parse_program(text)), N150))) == ["h0", "r.held"]


def test_a_state_that_others_read_stays():
    text = NAMED.replace("  %h_n:", "  %other: bf16[1,1,2,64] tile dram = ttnn.relu(%h0)\n  %h_n:", 1)
    text = text.replace('"h_n"=%h_n', '"h_n"=%h_n, "other"=%other')
    assert held(verify(hold_in_loops(verify(parse_program(text)), N150))) == ["r.held"]


def sized(columns: int) -> Graph:
    """An LSTM of so many columns, placed."""
    return compile_graph(recurrence(ops.Lstm, 8, directions=1, hidden=columns), Options(N150)).program.graph


def test_what_does_not_fit_stays_in_dram():
    wide = sized(4096)  # 4096 x 16384 weights are 2 MiB a core
    assert [name for name in held(wide) if name.startswith("r")] == []
    assert len(held(wide)) == 2  # the states are small


@pytest.mark.parametrize("card", EACH_CARD)
def test_no_weight_is_read_from_dram_in_the_loop(card: str, ttnn_python: str):
    target = TARGETS[card]
    program = compile_graph(recurrence(ops.Lstm, 64), Options(target)).program
    graph, loop = program.graph, loop_of(program.graph)
    assert all(spec_of(value).memory.buffer is Buffer.L1 for value in (*loop.carried, *loop.captured))
    inside = [call for call in run_calls(graph, target) if call.loops]
    weight = next(value for value in loop.captured)
    assert sum(call.cost.dram_bytes for call in inside) < 64 * spec_of(weight).stored_bytes
    moved = [node for node in graph.nodes if isinstance(node.op, ToMemoryConfig) and node.results[0] in loop.captured]
    ends = {life.value: life.end for life in Liveness(graph).lives}
    position = next(place for place, node in enumerate(graph.nodes) if node.op is loop)
    assert [ends[node.results[0]] for node in moved] == [position]  # released after the loop
    found = check(program, target)
    assert found.ok, found.faults
