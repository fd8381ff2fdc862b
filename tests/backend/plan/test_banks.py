"""Weights over the banks of DRAM: the products that are given them, and the programs that share them."""

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from tests.mock_cards import check_many
from ttc.analysis.cost.price import cost
from ttc.backend.plan.shard import shard
from ttc.backend.plan.sharding.banks import banks_of, laid, lines_of, lone_constants
from ttc.backend.plan.sharding.layouts import grids_of, most_in_order
from ttc.calls.call import spec_of
from ttc.calls.matmul import Linear
from ttc.calls.program_config import (
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    MatmulMultiCoreReuseMultiCastProgramConfig,
)
from ttc.calls.shards import in_banks
from ttc.calls.target import TARGETS
from ttc.ir import Graph, verify
from ttc.runtime.run.program import parse_program

N150, P150 = TARGETS["n150"], TARGETS["p150"]

LAYER = """graph {
  %x: bf16[1,1,2048] tile dram = input(name="x")
  %g: bf16[2048] tile dram = const(ref="g")
  %n: bf16[1,1,2048] tile dram = ttnn.rms_norm(%x, weight=%g)
  %w: bfp8[2048,4096] tile dram = const(ref="w")
  %b: bf16[4096] tile dram = const(ref="b")
  %a: bf16[1,1,4096] tile dram = ttnn.linear(%n, %w, bias=%b, activation="silu", core_grid=CoreGrid(y=8, x=8))
  %v: bfp8[4096,2048] tile dram = const(ref="v")
  %c: bf16[1,1,2048] tile dram = ttnn.linear(%a, %v, core_grid=CoreGrid(y=8, x=8))
  %y: bf16[1,1,2048] tile dram = ttnn.add(%x, %c)
  return "y"=%y
}
"""


def planned(text: str, target=N150, banks=None) -> Graph:
    return verify(shard(parse_program(text), target, banks))


def configs(graph: Graph) -> list[str]:
    """The kinds of program configs of the products of a program."""
    found = {
        MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig: "banks",
        MatmulMultiCoreReuseMultiCastProgramConfig: "blocks",
        MatmulMultiCoreReuseMultiCast1DProgramConfig: "columns",
        type(None): "none",
    }
    return [found[type(node.op.program_config)] for node in graph.nodes if isinstance(node.op, Linear)]


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_a_layer_of_few_rows_lies_in_shards(target: str, ttnn_python: str):
    """4 rows of tiles go from norm to sum in width shards, too, but read interleaved weights; 5 in others."""
    graph = planned(LARGER.replace("[1,1,", "[1,100,"), TARGETS[target])
    assert configs(graph) == ["columns", "columns"]
    assert banks_of(graph) == set()
    (report,) = check_many([str(graph)], TARGETS[target])
    assert report.ok, report.faults
    assert (report.device_programs, report.conversions) == (5, 1)
    assert "columns" not in configs(planned(LARGER.replace("[1,1,", "[1,129,"), TARGETS[target]))


LARGER = LAYER.replace("4096", "14336").replace("2048", "4096")


@pytest.mark.parametrize(("target", "how"), [("n150", "banks"), ("p150", "columns")])
def test_a_layer_of_one_row_lies_in_shards(target: str, how: str, ttnn_python: str):
    """Norm, products and sum lie in width shards: the only move is that of the input.

    On Blackhole all cores read interleaved weights as fast as those beside the banks, and compute sooner.
    """
    graph = planned(LARGER, TARGETS[target])
    assert configs(graph) == [how, how]
    assert banks_of(graph) == ({"w", "v"} if how == "banks" else set())
    assert how == "columns" or all(
        in_banks(spec_of(node.op.bias)) for node in graph.nodes if isinstance(node.op, Linear) and node.op.bias
    )
    (report,) = check_many([str(graph)], TARGETS[target])
    assert report.ok, report.faults
    assert (report.device_programs, report.conversions) == (5, 1)
    predicted = sum(cost(node, TARGETS[target]).seconds for node in graph.nodes if isinstance(node.op, Linear))
    before = [node for node in parse_program(LARGER).nodes if isinstance(node.op, Linear)]
    assert predicted < (0.9 if how == "banks" else 1) * sum(cost(node, TARGETS[target]).seconds for node in before)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAYER.replace("[1,1,", "[1,129,"), "five rows of tiles"),
        (LAYER.replace("4096", "256"), "weights that are read in no time"),
        (LAYER.replace('const(ref="w")', 'input(name="w")').replace('const(ref="v")', 'input(name="v")'), "inputs"),
    ],
)
def test_other_products_read_their_weights_as_before(text: str, why: str):
    assert not {"banks", "columns"} & set(configs(planned(text))), why


def test_weights_that_two_calls_read_stay_where_they_are():
    twice = LAYER.replace(
        'return "y"=%y',
        '%z: bfp8[2048,4096] tile dram = ttnn.clone(%w, memory_config=MemoryConfig())\n  return "y"=%y, "z"=%z',
    )
    assert banks_of(planned(twice.replace("4096", "8192"))) == {"v"}
    assert {value.name for value in lone_constants(parse_program(twice))} == {"g", "b", "v"}
    given = LAYER.replace('return "y"=%y', 'return "y"=%y, "w"=%w')
    assert {value.name for value in lone_constants(parse_program(given))} == {"g", "b", "v"}


def test_the_sizes_that_grids_are_chosen_for():
    assert lines_of(parse_program(LAYER), N150) == {64, 128}
    assert lines_of(parse_program(LAYER.replace("4096", "1024")), N150) == set()  # 2.2 MB are read in 8 us
    assert lines_of(parse_program(LAYER.replace("[1,1,", "[1,128,")), N150) == {64, 128}
    assert lines_of(parse_program(LAYER.replace("[1,1,", "[1,129,")), N150) == set()
    assert [most_in_order(tiles, N150) for tiles in (128, 112, 592, 31)] == [(8, 8), (8, 7), (8, 2), (1, 1)]
    assert [most_in_order(tiles, P150) for tiles in (128, 144, 220)] == [(8, 1), (9, 1), (11, 10)]
    assert grids_of([], N150, {128, 592}).width == ((8, 2), (8, 8))


def test_a_program_that_shares_weights_takes_them_as_they_lie(ttnn_python: str):
    """Many rows by blocks; one row by banks; and of one row nothing but what is shared."""
    many = LAYER.replace("[1,1,", "[1,128,")
    assert banks_of(planned(many)) == frozenset()
    shared = planned(many, banks={"v"})
    assert (banks_of(shared), configs(shared)[1]) == ({"v"}, "blocks")
    one = planned(LAYER, banks={"v"})
    assert (banks_of(one), configs(one)[1]) == ({"v"}, "banks")
    assert configs(one)[0] != "banks"
    assert banks_of(planned(LAYER, banks=set())) == frozenset()
    tall = planned(LAYER.replace("[1,1,", "[1,2048,"), banks={"w", "v"})
    assert banks_of(tall) == {"w", "v"}
    for report in check_many([str(graph) for graph in (shared, one, tall)], N150):
        assert report.ok, report.faults


def test_products_that_no_config_states_keep_their_weights():
    turned = LAYER.replace("bfp8[2048,4096]", "bfp8[4096,2048]").replace("bias=%b,", "bias=%b, transpose_b=true,")
    assert banks_of(laid(parse_program(turned), N150, {"w", "v"})) == {"v"}
    graph = parse_program(LAYER)
    assert laid(graph, N150, set()).nodes == graph.nodes


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.RMSNorm(1024)
        self.gate, self.up = nn.Linear(1024, 2816, bias=False), nn.Linear(1024, 2816)
        self.down = nn.Linear(2816, 1024, bias=False)

    def forward(self, x):
        y = self.norm(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))


def test_numbers_do_not_depend_on_where_weights_lie():
    torch.manual_seed(0)
    model, x = nn.Sequential(Gated(), Gated()).eval(), torch.randn(1, 1024)
    compiled = ttc.compile(model, x)
    assert "banks" in configs(compiled.build.program.graph)
    found = compiled.run(x.numpy())["output"]
    plain = ttc.compile(model, x, optimize=0).run(x.numpy())["output"]
    assert np.corrcoef(found.ravel(), plain.ravel())[0, 1] > 0.9999
    assert np.corrcoef(found.ravel(), model(x).detach().numpy().ravel())[0, 1] > 0.999


def test_buckets_share_weights_in_one_memory():
    """The program of one row decides; that of many rows takes the same weights, and the device holds them once."""
    torch.manual_seed(0)
    x, dims = torch.randn(1, 128, 1024), {"x": {1: "T"}}
    compiled = ttc.compile(Gated().eval(), (x,), dynamic_shapes=dims, lengths={"T": [32, 128]})
    one, many = (banks_of(bucket.program.graph) for bucket in compiled.buckets)
    assert one == many
    assert one
    assert banks_of(compiled.build.program.graph) == many
    found = compiled.run(x.numpy())["output"]
    np.testing.assert_allclose(compiled.run(x[:, :20].numpy())["output"], found[:, :20], atol=0.05)
