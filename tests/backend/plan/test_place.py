"""Placement: program text before and after, and the limits that it keeps to."""

import random
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

import ttc
from tests.backend.plan.check import N150, rewrites
from tests.mock_cards import check_many
from ttc.analysis.residency import HEADROOM, Moment, l1_bank, replay, schedule
from ttc.backend.plan.deallocate_after_last_use import deallocate_after_last_use
from ttc.backend.plan.place import Candidate, _misfits, place, runs_alike_in_l1
from ttc.calls.banks import bank_bytes
from ttc.calls.binary import Add
from ttc.calls.call import Workspace, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.slicing import Op2DSliceConfig, SliceType
from ttc.calls.target import TARGETS
from ttc.calls.unary import Relu
from ttc.ir import DRAM, Buffer, Builder, DType, Graph, Input, Spec, Value, verify
from ttc.runtime.run.program import parse_program


def check(before: str, after: str) -> None:
    before, after = (text.replace("GRID", "CoreGrid(y=8, x=8)") for text in (before, after))
    rewrites(place, before, after)


def test_what_is_read_again_stays_in_l1_and_outputs_go_to_dram():
    check(
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %a: bf16[64,64] tile dram = ttnn.relu(%x)
          %b: bf16[64,64] tile dram = ttnn.relu(%a)
          %y: bf16[64,64] tile dram = ttnn.add(%b, %a)
          return "y"=%y
        }""",
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %a: bf16[64,64] tile l1 = ttnn.relu(%x, memory_config=MemoryConfig(buffer=L1))
          %b: bf16[64,64] tile l1 = ttnn.relu(%a)
          %y: bf16[64,64] tile dram = ttnn.add(%b, %a, memory_config=MemoryConfig())
          return "y"=%y
        }""",
    )


def test_an_output_that_is_read_again_stays_in_dram():
    check(
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %a: bf16[64,64] tile dram = ttnn.relu(%x)
          %y: bf16[64,64] tile dram = ttnn.add(%x, %a)
          return "y"=%y, "a"=%a
        }""",
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %a: bf16[64,64] tile dram = ttnn.relu(%x)
          %y: bf16[64,64] tile dram = ttnn.add(%x, %a)
          return "y"=%y, "a"=%a
        }""",
    )


def test_a_product_without_a_core_grid_keeps_its_tensors_in_dram():
    check(
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %w: bf16[64,64] tile dram = const(ref="w")
          %a: bf16[64,64] tile dram = ttnn.relu(%x)
          %b: bf16[64,64] tile dram = ttnn.linear(%a, %w)
          %c: bf16[64,64] tile dram = ttnn.relu(%b)
          %d: bf16[64,64] tile dram = ttnn.linear(%c, %w, core_grid=GRID)
          %y: bf16[64,64] tile dram = ttnn.relu(%d)
          return "y"=%y
        }""",
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %w: bf16[64,64] tile dram = const(ref="w")
          %a: bf16[64,64] tile dram = ttnn.relu(%x)
          %b: bf16[64,64] tile dram = ttnn.linear(%a, %w)
          %c: bf16[64,64] tile l1 = ttnn.relu(%b, memory_config=MemoryConfig(buffer=L1))
          %d: bf16[64,64] tile l1 = ttnn.linear(%c, %w, memory_config=MemoryConfig(buffer=L1), core_grid=GRID)
          %y: bf16[64,64] tile dram = ttnn.relu(%d, memory_config=MemoryConfig())
          return "y"=%y
        }""",
    )


def test_a_view_follows_its_base_and_its_readers_count():
    check(
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %w: bf16[64,64] tile dram = const(ref="w")
          %a: bf16[64,64] tile dram = ttnn.relu(%x)
          %v: bf16[2,32,64] tile dram = ttnn.reshape(%a, [2, 32, 64])
          %b: bf16[2,32,64] tile dram = ttnn.relu(%v)
          %u: bf16[64,64] tile dram = ttnn.reshape(%b, [64, 64])
          %y: bf16[64,64] tile dram = ttnn.linear(%u, %w)
          return "y"=%y
        }""",
        """graph {
          %x: bf16[64,64] tile dram = input(name="x")
          %w: bf16[64,64] tile dram = const(ref="w")
          %a: bf16[64,64] tile l1 = ttnn.relu(%x, memory_config=MemoryConfig(buffer=L1))
          %v: bf16[2,32,64] tile l1 = ttnn.reshape(%a, [2, 32, 64])
          %b: bf16[2,32,64] tile dram = ttnn.relu(%v, memory_config=MemoryConfig())
          %u: bf16[64,64] tile dram = ttnn.reshape(%b, [64, 64])
          %y: bf16[64,64] tile dram = ttnn.linear(%u, %w)
          return "y"=%y
        }""",
    )


def test_what_is_computed_once_stays_in_dram():
    text = """graph {
      %w: bf16[64,64] tile dram = const(ref="w")
      %a: bf16[64,64] tile dram = ttnn.relu(%w)
      %b: bf16[64,64] tile dram = ttnn.relu(%a)
      %x: bf16[64,64] tile dram = input(name="x")
      %y: bf16[64,64] tile dram = ttnn.add(%x, %b)
      return "y"=%y
    }"""
    graph = parse_program(text)
    assert place(graph, N150) is graph


def random_program(seed: int, length: int) -> Graph:
    """Elementwise calls on tensors of a few hundred KB per core, some read long after they are made."""
    dice = random.Random(seed)
    builder = Builder()
    values: list[Value] = []
    for index, tiles in enumerate((40, 90, 140, 200)):
        values.append(builder(Input(Spec(DType.bf16, (32 * 64 * tiles, 32)), f"x{index}")))
    for _ in range(length):
        a = dice.choice(values[-6:] if dice.random() < 0.9 else values)
        like = [value for value in values[-8:] if value.shape == a.shape]
        call = dice.choice((Relu(a), Add(a, dice.choice([a, *like])), ToMemoryConfig(a, DRAM)))
        values.append(builder(call))
    return builder.finish({"y": values[-1], "z": values[-2]})


def in_l1(graph: Graph) -> list[Value]:
    return [value for value in graph.values() if value.type.memory.buffer is Buffer.L1]


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
@pytest.mark.parametrize("seed", range(12))
def test_l1_is_used_and_never_overfull(seed: int, target):
    before = random_program(seed, 120)
    placed = verify(place(before, target))
    assert in_l1(placed)
    assert place(placed, target) is placed
    found = replay(schedule(placed, target), target)
    assert not found.clashes
    assert found.peak <= l1_bank(target) - HEADROOM
    # and by another count: what is there, summed node by node
    resident: dict[Value, int] = {}
    freed = deallocate_after_last_use(placed, target)
    for node in freed.nodes:
        resident.update({value: bank_bytes(value.type, target) for value in node.results if value in in_l1(placed)})
        assert sum(resident.values()) <= l1_bank(target)
        if node.op.mnemonic == "ttnn.deallocate":
            resident.pop(node.op.tensor, None)


def test_the_worthier_value_wins():
    """Both do not fit at once: the one that is read more often per byte and node stays."""
    shape = (32 * 64 * 400, 32)
    builder = Builder()
    x = builder(Input(Spec(DType.bf16, shape), "x"))
    long = builder(Relu(x), "long")
    short = builder(Add(x, x), "short")
    y = builder(Add(short, short), "y")
    z = builder(Add(y, long), "z")
    placed = place(builder.finish({"z": z}), N150)
    assert [value.name for value in in_l1(placed)] == ["short"]
    assert z.shape == shape


@pytest.mark.parametrize(("more", "stays"), [(0, True), (1, False)])
def test_what_just_fits_stays_and_a_tile_more_does_not(more: int, stays: bool):
    """Beside the circular buffers of the call that reads it, and head-room: the largest value, and one tile more."""
    reader = Relu(Value(Input(Spec(DType.bf16, (32, 32)), "x"), Spec(DType.bf16, (32, 32)), "x"))
    room = l1_bank(N150) - HEADROOM - reader.workspace(N150).circular_buffers
    tiles = room // 2048 + more  # on each core
    builder = Builder()
    x = builder(Input(Spec(DType.bf16, (32 * 64 * tiles, 32)), "x"))
    y = builder(Relu(builder(Relu(x), "a")), "y")
    placed = place(builder.finish({"y": y}), N150)
    assert bool(in_l1(placed)) is stays


def by_whole_replays(moments: list[Moment], chosen: dict[int, Candidate]) -> set[int]:
    """Find what must go as the definition says: the program is replayed from its start after each."""
    standing = replay(moments, N150, frozenset(chosen)).clashes
    gone: set[int] = set()
    while True:
        clashes = [at for at in replay(moments, N150, frozenset(gone)).clashes if at not in standing]
        before = [c for c in chosen.values() if clashes and c.position <= clashes[0] and c.position not in gone]
        if not before:
            return gone
        near = [c for c in before if clashes[0] <= c.end]
        gone.add((max(near, key=lambda c: c.worth) if near else max(before, key=lambda c: c.end)).position)


@pytest.mark.parametrize("seed", range(12))
def test_what_must_go_is_found_without_replaying_what_comes_before(seed: int):
    """Buffers of a part of L1 each, some of which clash whatever goes, and workspaces that leave holes."""
    draw, bank = random.Random(seed), l1_bank(N150) // 32
    ends = [draw.randrange(at, min(at + 6, 40)) for at in range(40)]
    sizes = [draw.choice([0, 1, 4, 9]) * bank for _ in ends]
    spaces = [
        Workspace(draw.choice([0, 8, 29, 33 if seed % 2 else 30]) * bank, (3 * bank,) * draw.choice([0, 1]))
        for _ in ends
    ]
    freed = [tuple(at for at, end in enumerate(ends) if end == position) for position in range(40)]
    moments = [Moment(spaces[at], ((at, sizes[at]),), freed[at]) for at in range(40)]
    chosen = {at: Candidate(at, ends[at], sizes[at], draw.randrange(1, 9)) for at in range(40) if sizes[at] and at % 5}
    expected = by_whole_replays(moments, chosen)
    assert expected
    assert _misfits(moments, chosen, N150) == expected


def test_long_programs_take_little_time():
    graph = random_program(0, 6000)
    start = time.process_time()
    placed = place(graph, N150)
    assert time.process_time() - start < 15
    assert len(in_l1(placed)) > 100


@pytest.mark.parametrize(("rows", "in_l1"), [(92160, False), (4096, True)])
def test_rows_that_are_turned_on_the_way_need_room_for_their_columns(rows: int, in_l1: bool, ttnn_python: str):
    """Rows of 20 bytes are joined by columns, each of which lies in one bank: 360 KiB four times do not fit there."""
    taken = "".join(
        f"%s{i}: f32[1,{rows},5] row_major dram = ttnn.slice(%x, [0, {i}, 0], [1, {rows + i}, 5])\n" for i in range(4)
    )
    program = f"""graph {{
        %x: f32[1,{rows + 3},5] row_major dram = input(name="x")
        {taken}%c: f32[1,{rows},20] row_major dram = ttnn.concat([%s0, %s1, %s2, %s3], 2)
        %y: f32[1,{rows},20] row_major dram = ttnn.relu(%c)
        return "y"=%y
    }}"""
    placed = place(verify(parse_program(program)), N150)
    assert all(
        (value.type.memory.buffer is Buffer.L1) == in_l1 for value in placed.values() if value.name.startswith("s")
    )
    (report,) = check_many([str(deallocate_after_last_use(placed, N150))], N150)
    assert report.ok, report.faults


@pytest.mark.parametrize(
    ("channels", "size", "groups", "memory"),
    [
        (12, 32, 1, Buffer.L1),
        (12, 32, 2, Buffer.DRAM),
        (128, 512, 1, Buffer.DRAM),  # in slices
    ],
)
def test_a_whole_convolution_reads_l1(channels: int, size: int, groups: int, memory: Buffer, ttnn_python: str):
    net = nn.Conv2d(channels, 32, 3, padding=1, groups=groups)
    compiled = ttc.compile(net, (torch.randn(1, channels, size, size),))
    (call,) = [node.op for node in compiled.build.program.graph.nodes if isinstance(node.op, Conv2d)]
    assert spec_of(call.input_tensor).memory.buffer is memory
    assert call.whole is (size < 512)
    (found,) = check_many([str(compiled.build.program.graph)], N150)
    assert found.ok, found.faults
    assert found.device_programs == compiled.report.device_programs


@pytest.mark.parametrize(
    ("fields", "alike"),
    [
        ({}, True),
        ({"reallocate_halo_output": True}, False),  # TTNN moves the halo or not, as the L1's other buffers let it
        ({"enable_kernel_stride_folding": True}, False),
    ],
)
def test_convolutions_that_run_alike_beside_l1(fields: dict[str, bool], alike: bool):
    compiled = ttc.compile(nn.Conv2d(12, 32, 3), (torch.randn(1, 12, 32, 32),))
    (call,) = [node.op for node in compiled.build.program.graph.nodes if isinstance(node.op, Conv2d)]
    changed = replace(call, conv_config=replace(call.conv_config, **fields))
    assert runs_alike_in_l1(changed) is alike
    assert not runs_alike_in_l1(replace(changed, slice_config=Op2DSliceConfig(SliceType.DRAMSliceHeight, 2)))
