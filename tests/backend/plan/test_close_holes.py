"""Holes in L1 closed: program text before and after, near misses, and what an order may not change."""

from dataclasses import replace

from tests.backend.plan.check import rewrites
from ttc.analysis.residency import live_at_most, replay, schedule
from ttc.backend.plan.close_holes import close_holes
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.backend.plan.holes.blocks import Step
from ttc.backend.plan.holes.calls import Calls
from ttc.backend.plan.holes.keep import Budget, Effort, Keeping, Times
from ttc.calls.target import TARGETS
from ttc.ir import Graph, verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
L1 = "memory_config=MemoryConfig(buffer=L1)"

FREED_AT_ONCE = f"""graph {{
  %x: bf16[6144,32] tile dram = input(name="x")
  %a: bf16[4096,32] tile l1 = ttnn.slice(%x, [0, 0], [4096, 32], {L1})
  ttnn.deallocate(%x)
  %b: bf16[4096,32] tile l1 = ttnn.exp(%a)
  ttnn.deallocate(%a)
  %c: bf16[2048,32] tile l1 = ttnn.slice(%b, [0, 0], [2048, 32], {L1})
  %d: bf16[4096,32] tile l1 = ttnn.exp(%b)
  ttnn.deallocate(%b)
  %e: bf16[2048,32] tile dram = ttnn.slice(%d, [0, 0], [2048, 32], memory_config=MemoryConfig())
  ttnn.deallocate(%d)
  %f: bf16[2048,32] tile dram = ttnn.multiply(%e, %c)
  ttnn.deallocate(%c)
  ttnn.deallocate(%e)
  return "f"=%f
}}"""


def peaks(graph: Graph) -> tuple[int, int]:
    moments = schedule(graph, N150)
    return replay(moments, N150).buffers, live_at_most(moments)


def test_a_dead_buffer_keeps_its_place_for_a_large_one():
    before, kept = FREED_AT_ONCE, "  ttnn.deallocate(%a)\n"
    after = before.replace(kept, "").replace("  %d:", kept + "  %d:")
    assert peaks(parse_program(before)) == (12288, 10240)
    assert peaks(parse_program(after)) == (10240, 10240)
    rewrites(close_holes, before, after)


def test_a_program_without_holes_at_the_peak_stays():
    graph = deallocate_after_last_use(parse_program(FREED_AT_ONCE.replace("2048", "4096")), N150)
    assert peaks(graph) == (8192, 8192)
    assert close_holes(graph, N150) is graph


def test_a_buffer_is_not_kept_where_circular_buffers_need_the_room():
    made = [Step(0, (), 0, ((1, 4),), frozenset(), 9), Step(1, (), 0, ((2, 4),), frozenset({1}), 9)]
    small, large = Step(2, (), 0, ((3, 2),), frozenset(), 10), Step(3, (), 0, ((4, 4),), frozenset(), 10)
    effort = Effort((1, 2, 3), 9)
    assert Keeping([*made, small, large], 10, effort, Budget(99)).times() == Times(10, (), {1: 3})
    crowded = replace(small, room=9)
    assert Keeping([*made, crowded, large], 10, effort, Budget(99)).times() == Times(12, (3,), {})


ORDERED = f"""graph {{
  %x: bf16[6144,32] tile dram = input(name="x")
  %v1: bf16[6144,32] tile l1 = ttnn.exp(%x, {L1})
  %v2: bf16[4096,32] tile l1 = ttnn.slice(%v1, [0, 0], [4096, 32], {L1})
  %v3: bf16[4096,32] tile l1 = ttnn.exp(%v2)
  %v4: bf16[2048,32] tile l1 = ttnn.slice(%v3, [0, 0], [2048, 32], {L1})
  %y4: bf16[32,32] tile dram = ttnn.slice(%v4, [0, 0], [32, 32], memory_config=MemoryConfig())
  %v5: bf16[4096,32] tile l1 = ttnn.slice(%x, [0, 0], [4096, 32], {L1})
  %v7: bf16[4096,32] tile l1 = ttnn.slice(%x, [0, 0], [4096, 32], {L1})
  %y5: bf16[32,32] tile dram = ttnn.slice(%v5, [0, 0], [32, 32], memory_config=MemoryConfig())
  %y7: bf16[32,32] tile dram = ttnn.slice(%v7, [0, 0], [32, 32], memory_config=MemoryConfig())
  %y2: bf16[32,32] tile dram = ttnn.slice(%v2, [0, 0], [32, 32], memory_config=MemoryConfig())
  return "y2"=%y2, "y4"=%y4, "y5"=%y5, "y7"=%y7
}}"""


def names(graph: Graph) -> list[str]:
    return [node.results[0].name for node in graph.nodes if node.results]


def test_a_call_and_the_last_reader_of_its_buffer_come_first():
    graph = deallocate_after_last_use(parse_program(ORDERED), N150)
    found = verify(close_holes(graph, N150))
    assert (peaks(graph), peaks(found)) == ((14336, 12288), (10240, 10240))
    assert names(found) == ["x", "v1", "v2", "v3", "v4", "y4", "v7", "y7", "v5", "y5", "y2"]


OVERWRITTEN = """graph {
  %w: bf16[32,32] tile dram = input(name="w")
  %x: bf16[32,32] tile dram = input(name="x")
  %s: bf16[32,32] tile dram = ttnn.exp(%x)
  %r: bf16[32,32] tile dram = ttnn.neg(%s)
  %u: bf16[32,32] tile dram = ttnn.abs(%w)
  %q: bf16[32,32] tile dram = ttnn.neg(%w)
  %t: bf16[32,32] tile dram = ttnn.add(%s, %u, output_tensor=%s)
  return "r"=%r, "q"=%q, "t"=%t
}"""


def test_readers_come_before_what_overwrites_and_inputs_stay_in_their_order():
    calls = Calls(parse_program(OVERWRITTEN), N150)

    def first(start: int, wanted: int) -> list[str]:
        return [names_of[index] for index in calls.first(tuple(range(7)), start, wanted)]

    names_of = [node.results[0].name for node in calls.nodes]
    assert first(0, 6) == ["w", "x", "s", "r", "u", "t", "q"]
    assert first(0, 4) == ["w", "x", "u", "s", "r", "q", "t"]
    assert first(3, 4) == ["w", "x", "s", "u", "r", "q", "t"]
    assert first(5, 6) == ["w", "x", "s", "r", "u", "t", "q"]
