"""Addresses in L1: the real allocator puts each value of a plan where the replay does."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import ttc
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.analysis.residency import depths
from ttc.calls.call import Call, spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.pool import MaxPool2d
from ttc.calls.shards import is_sharded
from ttc.calls.target import TARGETS
from ttc.ir import Graph
from ttc.runtime.run.program import parse_program

SHAPES = [(1, 32, 40, 44), (2, 32, 38, 40), (2, 12, 37, 33), (2, 256, 16, 16), (1, 192, 14, 14)]


def networks() -> Iterator[nn.Sequential]:
    """Convolutions and pools between shards, L1 and DRAM, with strides, dilations and windows beyond the padding."""
    relu = nn.ReLU()
    yield nn.Sequential(nn.Conv2d(32, 64, 3, padding=1), relu, nn.MaxPool2d(3, 2, 1), nn.Conv2d(64, 64, 1))
    yield nn.Sequential(nn.Conv2d(32, 48, 3, padding=1), relu, nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(48, 64, 3))
    strided = nn.Conv2d(40, 96, 3, stride=2, padding=1)
    yield nn.Sequential(
        nn.Conv2d(12, 40, 3, padding=1), nn.GELU(), strided, nn.Tanh(), nn.Conv2d(96, 96, 3, dilation=2)
    )
    yield nn.Sequential(*(nn.Conv2d(256, 256, 3, padding=1), nn.Softmax(-1)) * 2, nn.Conv2d(256, 256, 3, stride=2))
    fewer = nn.Conv2d(192, 64, 3, stride=2, padding=1)  # in block shards, on fewer rows of cores than the operand
    yield nn.Sequential(nn.Conv2d(192, 192, 1), nn.Softmax(-1), fewer, nn.Softmax(-1))


REDUCED = {
    "bf16": [
        ("sum", (33, 100), (1,), False),
        ("sum", (640, 64), (0,), True),
        ("sum", (3, 64, 64), (1, 2), True),
        ("sum", (2, 3, 33, 64), (1,), False),
        ("sum", (2, 3, 33, 64), (0, 1), True),
        ("mean", (2, 3, 33, 64), (1, 3), True),
        ("mean", (4, 64, 64), (0, 1, 2), False),
        ("max", (32, 32), (0, 1), True),
        ("max", (1, 1280, 96), (1,), False),
        ("max", (2, 700, 33, 64), (1,), True),
    ],
    "f32": [("max", (32, 32), (0, 1), True), ("sum", (2, 1, 2, 33, 64), (1,), False), ("sum", (3, 33, 64), (0,), True)],
}
"""Reductions by dtype: call, shape, dimensions, whether they are kept."""

MOVED = [
    "expand(%x, [1, 3, 20, 3, 16, 16], MEMORY) tile [1,3,1,3,16,16] [1,3,20,3,16,16]",
    "expand(%x, [2, 3, 20, 3, 32, 32], MEMORY) tile [1,3,1,3,32,32] [2,3,20,3,32,32]",
    "expand(%x, [2, 3, 20, 33, 32], MEMORY) row_major [1,3,1,33,32] [2,3,20,33,32]",
    "expand(%x, [7, 30, 33, 64], MEMORY) tile [1,1,33,64] [7,30,33,64]",
    "repeat(%x, [3, 2, 1, 1, 1], MEMORY) tile [2,2,3,16,16] [6,4,3,16,16]",
    "concat([%x, %w], 2, MEMORY) row_major [64,18,5] [64,18,10]",
    "concat([%x, %w], 2, MEMORY) row_major [64,1,5] [64,1,10]",
    "concat([%x, %w], 2, MEMORY) row_major [64,18,32] [64,18,64]",
    "concat([%x, %w], 1, MEMORY) row_major [64,18,5] [64,36,5]",
]


def calls() -> Iterator[str]:
    """Programs of one call whose result lies in L1, the operand in L1 or in DRAM."""
    for dtype, rows in REDUCED.items():
        for name, shape, dims, keep in rows:
            size = [1 if i in dims else n for i, n in enumerate(shape) if keep or i not in dims]
            call = f"{name}(%x, {[*dims]}, {str(keep).lower()}, MEMORY)"
            yield from placed(dtype, call, "tile", str([*shape]).replace(" ", ""), str(size).replace(" ", ""))
    for line in MOVED:
        yield from placed("bf16", *line.rsplit(" ", 3))


def placed(dtype: str, call: str, layout: str, operand: str, result: str) -> Iterator[str]:
    memory = "memory_config=MemoryConfig(buffer=L1)"
    for given in ("l1", "dram"):
        yield f"""graph {{
          %d: {dtype}{operand} {layout} dram = input(name="x")
          %e: {dtype}{operand} {layout} dram = input(name="w")
          %x: {dtype}{operand} {layout} {given} = ttnn.to_memory_config(%d, MemoryConfig(buffer={given.upper()}))
          %w: {dtype}{operand} {layout} {given} = ttnn.to_memory_config(%e, MemoryConfig(buffer={given.upper()}))
          %y: {dtype}{result} {layout} l1 = ttnn.{call.replace("MEMORY", memory)}
          %z: {dtype}{result} {layout} l1 = ttnn.relu(%y, {memory})
          return "z"=%z
        }}"""


@pytest.mark.parametrize("card", EACH_CARD)
def test_a_result_lies_below_what_its_call_holds_then(card: str, ttnn_python: str):
    target = TARGETS[card]
    for text, found in zip(calls(), check_many(list(calls()), target), strict=True):
        assert found.ok, (text, found.faults)
        graph = parse_program(text)
        assert found.l1_depths == {value.name: depth for value, depth in depths(graph, target).items()}, text


def ways(graph: Graph) -> set[tuple[type[Call], str, str]]:
    """The memories of operand and result of each window call of a program with one of them in L1."""

    def memory(value) -> str:
        spec = spec_of(value)
        return "shards" if is_sharded(spec) else spec.memory.buffer.value

    calls = [(node.op, node.results) for node in graph.nodes if isinstance(node.op, (Conv2d, MaxPool2d))]
    return {(type(op), memory(op.input_tensor), memory(value)) for op, (value,) in calls}


@pytest.mark.parametrize("card", EACH_CARD)
def test_the_allocator_puts_values_where_the_replay_does(card: str, ttnn_python: str):
    torch.manual_seed(0)
    nets, target = zip(networks(), SHAPES, strict=True), TARGETS[card]
    graphs = [ttc.compile(net.eval(), (torch.randn(s),), target=card).build.program.graph for net, s in nets]
    for graph, found in zip(graphs, check_many([str(graph) for graph in graphs], target), strict=True):
        assert found.ok, found.faults
        assert found.l1_depths == {value.name: depth for value, depth in depths(graph, target).items()}
    seen = set.union(*map(ways, graphs))
    assert {(Conv2d, "l1", "l1"), (Conv2d, "shards", "shards"), (MaxPool2d, "l1", "l1")} <= seen, seen
