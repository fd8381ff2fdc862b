"""Views of columns in loops: program text before and after, near misses, numbers, and the real library's word."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ttc
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.backend.plan.view_columns import view_columns
from ttc.calls.loop import Loop
from ttc.calls.target import TARGETS
from ttc.ir import Graph, verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]

BODY = """graph {{
  %x: {dtype}[4,1,{rows},{wide}] tile dram = input(name="x")
  %h: {dtype}[1,1,{rows},{part}] tile dram = input(name="h")
  %h0: {dtype}[1,1,{rows},{part}] tile dram = ttnn.clone(%h, memory_config=MemoryConfig())
  %h_n: {dtype}[1,1,{rows},{part}] tile dram = loop(count=4, carried=[%h0], scanned=[%x], stacked=[], captured=[], body=body {{
    %h: {dtype}[1,1,{rows},{part}] tile dram = input(name="h")
    %x: {dtype}[4,1,{rows},{wide}] tile dram = input(name="x")
    {lines}
    return "h"=%new
  }})
  return "h"=%h_n
}}"""  # noqa: E501

GATES = """%t: {dtype}[1,1,{rows},{wide}] tile dram = loop.take(%x)
    %e: {dtype}[1,1,{rows},{wide}] tile dram = ttnn.exp(%t)
    %a: {dtype}[1,1,{rows},{part}] tile dram = ttnn.slice(%e, [0, 0, 0, 0], [1, 1, {rows}, {part}], [1, 1, 1, 1])
    %b: {dtype}[1,1,{rows},{part}] tile dram = ttnn.slice(%e, [0, 0, 0, {first}], [1, 1, {rows}, {end}], [1, 1, 1, 1])
    %c: {dtype}[1,1,{rows},{part}] tile dram = ttnn.multiply(%a, %b)
    %new: {dtype}[1,1,{rows},{part}] tile dram = ttnn.add(%c, %h, output_tensor=%h)"""

TAKES = """%a: {dtype}[1,1,{rows},{part}] tile dram = loop.take(%x, columns=[0, {part}])
    %b: {dtype}[1,1,{rows},{part}] tile dram = loop.take(%x, columns=[{first}, {end}])
    %c: {dtype}[1,1,{rows},{part}] tile dram = ttnn.multiply(%a, %b)
    %new: {dtype}[1,1,{rows},{part}] tile dram = ttnn.add(%c, %h, output_tensor=%h)"""


def program(lines: str = GATES, rows: int = 2, part: int = 256, first: int = 256, wide: int = 512, **more) -> Graph:
    sizes = {"dtype": "bf16", "rows": rows, "part": part, "first": first, "end": first + part, "wide": wide} | more
    return verify(parse_program(BODY.format(lines=lines.format(**sizes), **sizes)))


def body(graph: Graph) -> list[str]:
    loop = next(node.op for node in graph.nodes if isinstance(node.op, Loop))
    return [line.strip() for line in str(loop.body).splitlines()[3:-2]]


PLACED = "memory_config=MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[8, 2], shape=[32, 32]))"


def test_slices_become_views_of_shards():
    after = verify(view_columns(program(), N150))
    assert body(after) == [
        "%t: bf16[1,1,2,512] tile dram = loop.take(%x)",
        f"%e: bf16[1,1,2,512] tile l1 width_sharded 8x2 of 32x32 = ttnn.exp(%t, {PLACED})",
        "%a: bf16[1,1,2,256] tile l1 width_sharded = ttnn.narrow(%e, 3, 0, 256)",
        "%b: bf16[1,1,2,256] tile l1 width_sharded = ttnn.narrow(%e, 3, 256, 256)",
        "%c: bf16[1,1,2,256] tile dram = ttnn.multiply(%a, %b, memory_config=MemoryConfig())",
        "%new: bf16[1,1,2,256] tile dram = ttnn.add(%c, %h, output_tensor=%h)",
    ]
    assert view_columns(after, N150) is after


def test_columns_that_a_step_takes_become_views_of_one_take():
    after = verify(view_columns(program(TAKES), N150))
    assert body(after)[:3] == [
        f"%a.whole: bf16[1,1,2,512] tile l1 width_sharded 8x2 of 32x32 = loop.take(%x, {PLACED})",
        "%a: bf16[1,1,2,256] tile l1 width_sharded = ttnn.narrow(%a.whole, 3, 0, 256)",
        "%b: bf16[1,1,2,256] tile l1 width_sharded = ttnn.narrow(%a.whole, 3, 256, 256)",
    ]
    assert view_columns(after, N150) is after


WHOLE = GATES.replace(
    "%c:",
    "%w: {dtype}[1,1,{rows},{wide}] tile dram = ttnn.abs(%e)\n    %u: {dtype}[1,1,{rows},{part}] tile dram = "
    "ttnn.slice(%w, [0, 0, 0, 0], [1, 1, {rows}, {part}], [1, 1, 1, 1])\n    %c:",
).replace("(%a, %b)", "(%u, %b)")
ROWS = GATES.replace("[1, 1, {rows}, {part}]", "[1, 1, 1, {part}]").replace(
    "%a: {dtype}[1,1,{rows},", "%a: {dtype}[1,1,1,"
)
PRODUCT = GATES.replace("ttnn.multiply(%a, %b)", "ttnn.matmul(%a, %b, transpose_b=true)").replace(
    "%c: {dtype}[1,1,{rows},{part}]", "%c: {dtype}[1,1,{rows},{rows}]"
)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (program(part=48, first=64, wide=128), "a part ends inside a tile"),
        (program(part=32, first=96, wide=32 * 9), "nine rows of cores are more than the card has"),
        (program(rows=8192), "the shards take too much of L1"),
        (program(TAKES, part=48, first=64, wide=128), "a take ends inside a tile"),
        (program(WHOLE), "a part and the whole are read"),
        (program(ROWS), "one part is not all rows"),
        (program(PRODUCT, rows=256), "a product reads a part"),
    ],
)
def test_near_misses(before: Graph, why: str):
    assert view_columns(before, N150) is before, why


def test_nothing_changes_outside_loops():
    text = """graph {
      %x: bf16[1,1,2,512] tile dram = input(name="x")
      %e: bf16[1,1,2,512] tile dram = ttnn.exp(%x)
      %a: bf16[1,1,2,256] tile dram = ttnn.slice(%e, [0, 0, 0, 0], [1, 1, 2, 256], [1, 1, 1, 1])
      %b: bf16[1,1,2,256] tile dram = ttnn.slice(%e, [0, 0, 0, 256], [1, 1, 2, 512], [1, 1, 1, 1])
      %c: bf16[1,1,2,256] tile dram = ttnn.multiply(%a, %b)
      return "c"=%c
    }"""
    graph = verify(parse_program(text))
    assert view_columns(graph, N150) is graph


@pytest.mark.parametrize("card", EACH_CARD)
def test_the_library_takes_the_views(card: str, ttnn_python: str):
    for lines, sizes in ((GATES, {}), (TAKES, {}), (TAKES, {"rows": 40, "part": 64, "first": 128, "wide": 192})):
        for dtype in ("bf16", "f32"):
            after = view_columns(program(lines, dtype=dtype, **sizes), TARGETS[card])
            (found,) = check_many([str(after)], TARGETS[card])
            assert found.ok, found.faults


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("hidden", [64, 48])
def test_numbers_are_those_of_slices(kind: type[nn.LSTM] | type[nn.GRU], hidden: int):
    torch.manual_seed(0)
    model, x = kind(32, hidden, bidirectional=True).eval(), torch.randn(5, 3, 32)
    views, slices = (ttc.compile(model, (x,), optimize=level) for level in (1, 0))
    assert ("ttnn.narrow" in str(views.build.program.graph)) == (hidden == 64)
    assert "ttnn.narrow" not in str(slices.build.program.graph)
    for name, array in views.run([x.numpy()]).items():
        assert (array == slices.run([x.numpy()])[name]).all()
