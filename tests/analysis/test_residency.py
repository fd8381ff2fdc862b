"""The replay of L1 at its limits: what just fits, and one byte more."""

from __future__ import annotations

import pytest

from ttc.analysis.memory import Arena
from ttc.analysis.residency import HEADROOM, Held, Moment, Replay, depths, l1_bank, replay, schedule
from ttc.calls.banks import bank_bytes
from ttc.calls.call import Workspace
from ttc.calls.target import L1_SMALL_BYTES, TARGETS
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
BANK = l1_bank(N150)


def test_a_bank_is_l1_without_the_part_for_tables():
    assert N150.l1_bytes - L1_SMALL_BYTES == BANK


def moment(buffers: int = 0, interim: int = 0, made=(), freed=()) -> Moment:
    return Moment(Workspace(circular_buffers=buffers, l1=(interim,) if interim else ()), tuple(made), tuple(freed))


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([moment(BANK)], (0, BANK, ())),  # without buffers nothing can be overwritten
        ([moment(made=[(0, BANK - HEADROOM)])], (BANK - HEADROOM, BANK - HEADROOM, ())),
        ([moment(made=[(0, BANK - HEADROOM + 1)])], (BANK - HEADROOM + 1, BANK - HEADROOM + 1, (0,))),
        ([moment(1000, made=[(0, BANK - HEADROOM - 1000)])], (BANK - HEADROOM - 1000, BANK - HEADROOM, ())),
        ([moment(1001, made=[(0, BANK - HEADROOM - 1000)])], (BANK - HEADROOM - 1000, BANK - HEADROOM + 1, (0,))),
        ([moment(made=[(0, BANK)])], (BANK, BANK, (0,))),
        ([moment(made=[(0, BANK + 1)])], (0, 0, (0,))),
        ([moment(interim=BANK - HEADROOM)], (BANK - HEADROOM, BANK - HEADROOM, ())),
        ([moment(interim=BANK + 1)], (0, 0, (0,))),
        ([moment(interim=5000, made=[(0, 3000)])], (8000, 8000, ())),
        # an interim buffer is gone after its call, another at the end of its life
        ([moment(interim=5000), moment(made=[(1, 3000)])], (5000, 5000, ())),
        ([moment(made=[(0, 3000)], freed=[0]), moment(made=[(1, 4000)])], (4000, 4000, ())),
        ([moment(made=[(0, 3000)]), moment(made=[(1, 4000)], freed=[0])], (7000, 7000, ())),
        # one of two buffers that a node makes may live on
        ([moment(made=[(0, 3000), (1, 2000)]), moment(50, freed=[0, 1]), moment(70)], (5000, 5050, ())),
        ([moment(made=[(0, 3000), (1, 2000)]), moment(freed=[0]), moment(70)], (5000, 5070, ())),
        ([moment(made=[(0, 3000), (1, 2000)]), moment(freed=[1]), moment(70)], (5000, 5000, ())),
        # a hole counts: circular buffers grow towards the lowest address
        ([moment(made=[(0, 3000)]), moment(made=[(1, 4000)], freed=[0]), moment(10)], (7000, 7010, ())),
        ([moment(made=[(0, BANK)]), moment(freed=[0]), moment(made=[(2, 10)])], (BANK, BANK, (0, 1))),
    ],
)
def test_limits(moments, expected):
    found = replay(moments, N150)
    assert (found.buffers, found.peak, found.clashes) == expected


@pytest.mark.parametrize(
    ("work", "made", "most", "fits"),
    [
        # from the top: 1000 and 300; the first goes, 400 take the place, and the result comes below 300
        (Workspace(l1=(1000, 300, 400), passing=1, apart=True), 200, 1300, True),
        (Workspace(l1=(1000, 300, 400), passing=1, apart=True), 700, 2000, True),
        (Workspace(l1=(1000, 300, 1001), passing=1, apart=True), 200, 2301, True),
        (Workspace(l1=(1000, 300, 400)), 200, 1900, True),
        (Workspace(l1=(1000, 300), passing=1), 1000, 1300, True),
        (Workspace(l1=(1000, 300)), 1000, 2300, True),
        # 900 in the place of 1000, 200 below it; the result in the place of 900, where that is gone
        (Workspace(l1=(1000, 300, 900, 200), passing=3), 400, 1100, True),
        (Workspace(l1=(1000, 300, 900, 200), passing=2), 400, 1500, True),
        # circular buffers lie below the buffers inside; a result apart comes when they are gone
        (Workspace(BANK - HEADROOM - 1300, l1=(1000, 300, 400), passing=1, apart=True), 5000, 6300, True),
        (Workspace(BANK - HEADROOM - 1299, l1=(1000, 300, 400), passing=1, apart=True), 600, 1300, False),
        (Workspace(BANK - HEADROOM - 2000, l1=(1000, 300), passing=1), 1700, 3000, False),
        (Workspace(BANK - HEADROOM - 3000, l1=(1000, 300), passing=1), 1700, 3000, True),
        (Workspace(l1=(1000, 300, BANK - 300), passing=1), 0, 0, False),
        (Workspace(l1=(BANK, 300), passing=1), 0, 0, False),
    ],
)
def test_buffers_inside_a_call_come_and_go_in_order(work: Workspace, made: int, most: int, fits: bool):
    held = Held(Arena(BANK))
    used, found = held.past(Moment(work, ((0, made),) if made else (), ()))
    assert (used, found) == (most, fits)
    after = replay([Moment(work, ((0, made),) if made else (), (0,)), moment(made=[(1, 100)])], N150)
    assert after.in_use[1] == 100  # all are gone
    assert work.buffers <= BANK or not fits


def test_the_most_that_buffers_inside_a_call_take():
    assert Workspace().buffers == 0
    assert Workspace(l1=(10,)).buffers == 10
    assert Workspace(l1=(10, 3, 4), passing=1).buffers == 13
    assert Workspace(l1=(4, 3, 10), passing=1).buffers == 13
    assert Workspace(l1=(10, 3, 4)).buffers == 17
    assert Workspace.in_turn(0, (1, 9, 5, 3)).buffers == 14
    assert Workspace.in_turn(0, (1, 2, 9)).buffers == 11
    assert Workspace.in_turn(7, ()) == Workspace(7)


def test_what_is_in_use_at_each_node():
    moments = [moment(7), moment(50, interim=600, made=[(1, 3000)]), moment(80), moment(9, freed=[1]), moment()]
    assert replay(moments, N150).in_use == (7, 3650, 3680, 3609, 0)  # the interim buffer leaves a hole
    assert replay([], N150) == Replay(0, (), ())
    assert replay([], N150).peak == 0


def test_what_is_left_out_takes_no_room():
    moments = [moment(made=[(0, BANK)]), moment(made=[(1, 3000)]), moment(freed=[0, 1])]
    assert replay(moments, N150, frozenset({0})) == Replay(3000, (0, 3000, 3000), ())
    assert replay(moments, N150, frozenset({0, 1})) == Replay(0, (0, 0, 0), ())


PROGRAM = """graph {
  %x: bf16[64,64] tile dram = input(name="x")
  %a: bf16[64,64] tile l1 = ttnn.relu(%x, memory_config=MemoryConfig(buffer=L1))
  %b: bf16[64,64] tile l1 = ttnn.relu(%a)
  %y: bf16[64,64] tile dram = ttnn.add(%b, %a, memory_config=MemoryConfig())
  %z: bf16[64,64] tile dram = ttnn.relu(%y)
  return "z"=%z
}"""


def test_a_schedule_makes_and_frees_what_is_in_l1():
    graph = parse_program(PROGRAM)
    a, b = (node.results[0] for node in graph.nodes[1:3])
    size = bank_bytes(a.type, N150)
    found = schedule(graph, N150)
    assert [m.made for m in found] == [(), ((a, size),), ((b, size),), (), ()]
    assert [m.freed for m in found] == [(), (), (), (a, b), ()]
    assert found[0].workspace == Workspace()
    assert all(m.workspace.circular_buffers > 0 for m in found[1:])


def test_what_lives_until_the_end_is_never_freed():
    graph = parse_program(PROGRAM.replace('"z"=%z', '"z"=%z, "a"=%a'))
    assert [m.freed for m in schedule(graph, N150)] == [(), (), (), (graph.nodes[2].results[0],), ()]


PARTS = """graph {
  %x: bf16[1,32,192] tile dram = input(name="x")
  %q: bf16[1,2,32,32] tile l1, %k: bf16[1,2,32,32] tile l1, %v: bf16[1,2,32,32] tile l1 = \
ttnn.transformer.split_query_key_value_and_split_heads(%x, num_heads=2, \
memory_config=MemoryConfig(buffer=L1))
  %a: bf16[1,2,32,32] tile dram = ttnn.relu(%q, memory_config=MemoryConfig())
  %b: bf16[1,2,32,32] tile dram = ttnn.relu(%v, memory_config=MemoryConfig())
  %c: bf16[1,2,32,32] tile dram = ttnn.add(%a, %b)
  return "c"=%c
}"""


def test_depths_are_what_the_allocator_gives():
    graph = parse_program(
        PARTS.replace(
            "%b: bf16[1,2,32,32] tile dram = ttnn.relu(%v, memory_config=MemoryConfig())",
            "%b: bf16[1,2,32,32] tile l1 = ttnn.relu(%v, memory_config=MemoryConfig(buffer=L1))",
        )
    )
    (q, k, v), b = graph.nodes[1].results, graph.nodes[3].results[0]
    size = bank_bytes(q.type, N150)
    # q and k are gone by then: the highest free bytes were q's
    assert depths(graph, N150) == {q: size, k: 2 * size, v: 3 * size, b: size}


def test_a_buffer_without_room_has_no_depth():
    graph = parse_program(PARTS.replace("[1,2,32,32]", "[1,2,262144,32]").replace("[1,32,192]", "[1,262144,192]"))
    q, k, _ = graph.nodes[1].results
    assert 2 * bank_bytes(q.type, N150) <= BANK < 3 * bank_bytes(q.type, N150)
    assert depths(graph, N150).keys() == {q, k}


def test_each_result_of_a_call_is_freed_by_itself():
    graph = parse_program(PARTS)
    q, k, v = graph.nodes[1].results
    assert [m.freed for m in schedule(graph, N150)] == [(), (k,), (q,), (v,), ()]
    size = bank_bytes(q.type, N150)
    found = replay(schedule(graph, N150), N150)
    assert found.buffers == 3 * size
    assert found.in_use[4] == schedule(graph, N150)[4].workspace.circular_buffers


LOOP = """graph {
  %x: bf16[4,1,2,64] tile dram = input(name="x")
  %zero: bf16[1,1,2,64] tile dram = const(ref="zero")
  %h0: bf16[1,1,2,64] tile l1 = ttnn.clone(%zero, memory_config=MemoryConfig(buffer=L1))
  %y0: bf16[4,1,2,64] tile dram = ttnn.empty([4, 1, 2, 64], bf16, TILE)
  %h_n: bf16[1,1,2,64] tile l1, %y: bf16[4,1,2,64] tile dram = loop(count=4, carried=[%h0], scanned=[%x], \
stacked=[%y0], captured=[], body=body {
    %h: bf16[1,1,2,64] tile l1 = input(name="h")
    %x: bf16[4,1,2,64] tile dram = input(name="x")
    %ys: bf16[4,1,2,64] tile dram = input(name="ys")
    %t: bf16[1,1,2,64] tile l1 = loop.take(%x, memory_config=MemoryConfig(buffer=L1))
    %new: bf16[1,1,2,64] tile l1 = ttnn.add(%h, %t, output_tensor=%h)
    %put: bf16[4,1,2,64] tile dram = loop.put(%ys, %new)
    return "h"=%new, "y"=%put
  })
  return "y"=%y
}"""


def test_a_loop_takes_what_the_fullest_moment_of_its_body_does():
    graph = parse_program(LOOP)
    loop = graph.nodes[-1].op
    body = loop.body
    inner = schedule(body, N150)
    taken = body.nodes[3].results[0]
    size = bank_bytes(taken.type, N150)
    assert [m.made for m in inner] == [(), (), (), ((taken, size),), (), ()]  # the state is the program's around it
    fullest = replay(inner, N150)
    assert fullest.buffers == size
    found = schedule(graph, N150)[-1].workspace
    assert found == Workspace(circular_buffers=fullest.peak - size, l1=(size,))
    assert fullest.peak - size == max(m.workspace.circular_buffers for m in inner[3:5])
