"""All passes over calls together: by text, by their own fixed point, and by the real ttnn's word."""

from functools import partial, update_wrapper

import pytest

from tests.backend.plan.test_place import random_program
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.backend.pipeline import PIPELINE
from ttc.calls.target import TARGETS, Target
from ttc.ir import Graph, print_graph
from ttc.passes.runner import run
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]


def planned(graph: Graph, target: Target) -> Graph:
    """The program after all passes, each run twice: the second time nothing may be left to do."""
    return run([update_wrapper(partial(step, target=target), step) for step in PIPELINE], graph, twice=True)


def test_indices_go_straight_to_the_embedding():
    before = """graph {
      %ids: i32[1,64] tile dram = input(name="ids")
      %table: bf16[500,64] tile dram = const(ref="table")
      %cast: u32[1,64] tile dram = ttnn.typecast(%ids, u32)
      %rows: u32[1,64] row_major dram = ttnn.to_layout(%cast, ROW_MAJOR)
      %flat: bf16[500,64] row_major dram = ttnn.to_layout(%table, ROW_MAJOR)
      %e: bf16[1,64,64] tile dram = ttnn.embedding(%rows, %flat, layout=TILE)
      %g: bf16[1,64,64] tile dram = ttnn.gelu(%e)
      %y: bf16[1,64,64] tile dram = ttnn.add(%g, %e)
      return "y"=%y
    }"""
    after = """graph {
      %ids: u32[1,64] row_major dram = input(name="ids")
      %table: bf16[500,64] row_major dram = const(ref="table")
      %e: bf16[1,64,64] tile l1 = ttnn.embedding(%ids, %table, memory_config=MemoryConfig(buffer=L1), layout=TILE)
      ttnn.deallocate(%ids)
      %g: bf16[1,64,64] tile l1 = ttnn.gelu(%e)
      %y: bf16[1,64,64] tile dram = ttnn.add(%g, %e, memory_config=MemoryConfig())
      ttnn.deallocate(%e)
      ttnn.deallocate(%g)
      return "y"=%y
    }"""
    found = str(planned(parse_program(before), N150)).replace("%table_0", "%table")
    assert found == str(parse_program(after))


@pytest.mark.parametrize("name", EACH_CARD)
def test_real_ttnn_has_room_for_all_that_is_placed(name: str, ttnn_python: str):
    """Programs that fill L1 to its head-room, replayed by the real allocator: no clash, every memory as planned."""
    target = TARGETS[name]
    programs = [print_graph(planned(random_program(seed, 80), target)) for seed in range(20, 26)]
    assert all(" l1 = " in text for text in programs)
    for report in check_many(programs, target):
        assert report.ok, report.faults
