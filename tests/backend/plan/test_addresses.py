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

SHAPES = [(1, 32, 40, 44), (2, 32, 38, 40), (2, 12, 37, 33), (2, 256, 16, 16)]


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
