"""Blocks of products: program text before and after, near misses, the library's word, and what is saved."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from ttc.analysis.residency import HEADROOM, l1_bank
from ttc.backend.plan.cut_blocks import cut_blocks
from ttc.calls.banks import bank_bytes
from ttc.calls.call import spec_of
from ttc.calls.matmul import Activation, Linear
from ttc.calls.program_config import MatmulMultiCoreReuseMultiCastProgramConfig
from ttc.calls.target import TARGETS
from ttc.ir import L1, Buffer, Graph, verify
from ttc.runtime.check import check, check_many
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]


def product(
    rows: int, inner: int, columns: int, more: str = "", dtype: str = "bf16", grid: str = "(y=8, x=8)"
) -> Graph:
    return parse_program(f"""graph {{
      %x: {dtype}[1,{rows},{inner}] tile dram = input(name="x")
      %w: {dtype}[{inner},{columns}] tile dram = const(ref="w")
      %b: {dtype}[{columns}] tile dram = const(ref="b")
      %y: {dtype}[1,{rows},{columns}] tile dram = ttnn.linear(%x, %w, bias=%b{more}, core_grid=CoreGrid{grid})
      return "y"=%y
    }}""")


def linear(graph: Graph) -> Linear:
    op = graph.nodes[-1].op
    assert isinstance(op, Linear)
    return op


def test_a_large_block_is_cut_into_columns():
    before = product(3072, 768, 3072, ', activation="gelu"')
    after = verify(cut_blocks(before, N150))
    config = linear(after).program_config
    assert str(config) == (
        "MatmulMultiCoreReuseMultiCastProgramConfig(compute_with_storage_grid_size=(8, 8), in0_block_w=2, "
        "out_subblock_h=1, out_subblock_w=3, per_core_M=12, per_core_N=12, transpose_mcast=False, "
        "fused_activation=UnaryWithParam(op_type='GELU', param=0.0), out_block_w=6)"
    )
    assert (linear(after).activation, linear(after).core_grid, linear(after).fused) == (None, None, "gelu")
    room = l1_bank(N150) - HEADROOM
    assert linear(after).workspace(N150).circular_buffers <= room // 2 < linear(before).workspace(N150).circular_buffers
    assert cut_blocks(after, N150) is after


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (product(1024, 768, 1024), "its block is small"),
        (product(24576, 768, 3072), "operand and result do not fit into L1"),
        (product(3072, 8192, 1792), "the blocks that fit beside operand and result are too slow for the bytes saved"),
        (product(96, 768, 24576), "TTNN shares narrow results out another way"),
    ],
)
def test_near_misses(graph: Graph, why: str):
    assert cut_blocks(graph, N150) is graph, why


@pytest.mark.parametrize(("columns", "of_a_core", "at_a_time"), [(3328, 15, 5), (2560, 10, 5), (2816, 12, 4)])
def test_a_core_computes_columns_that_are_none_where_only_so_blocks_are_wide(
    columns: int, of_a_core: int, at_a_time: int
):
    config = linear(cut_blocks(product(4096, 768, columns), N150)).program_config  # 13, 10, 11 columns for each core
    assert isinstance(config, MatmulMultiCoreReuseMultiCastProgramConfig)
    assert (config.per_core_N, config.block_columns) == (of_a_core, at_a_time)


def test_less_than_half_of_l1_is_taken_where_operand_and_result_leave_no_more():
    graph = product(3072, 4096, 5888)
    after = linear(cut_blocks(graph, N150))
    inside = [replace(spec_of(after.input_tensor_a), memory=L1), replace(after.infer(), memory=L1)]
    room = l1_bank(N150) - HEADROOM - sum(bank_bytes(spec, N150) for spec in inside)
    assert after.workspace(N150).circular_buffers <= room < (l1_bank(N150) - HEADROOM) // 2


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation_is_part_of_a_config(activation: str, ttnn_python: str):
    graph = cut_blocks(product(3072, 768, 3072, f', activation="{activation}"'), N150)
    assert (linear(graph).activation, linear(graph).fused) == (None, activation)
    report = check_many([str(graph)], N150)[0]
    assert report.ok, report.faults
    assert report.device_programs == 1


def test_transposed_weights_stay_as_they_are():
    graph = parse_program("""graph {
      %x: bf16[3072,768] tile dram = input(name="x")
      %w: bf16[3072,768] tile dram = input(name="w")
      %y: bf16[3072,3072] tile dram = ttnn.linear(%x, %w, transpose_b=true, core_grid=CoreGrid(y=8, x=8))
      return "y"=%y
    }""")
    assert cut_blocks(graph, N150) is graph


@pytest.mark.parametrize("target", TARGETS)
def test_the_library_takes_the_blocks_and_needs_the_l1_that_is_said(target: str, ttnn_python: str):
    card = TARGETS[target]
    grid = f"(y={card.grid[1]}, x={card.grid[0]})"
    sizes = [(3072, 4096, 5888, "bf16")]
    sizes += [(3072, 768, 3072, "bf16"), (3072, 768, 3328, "bf16"), (2048, 768, 4096, "f32"), (5120, 768, 5120, "bfp8")]
    graphs = [cut_blocks(product(*size, "", dtype, grid), card) for *size, dtype in sizes]  # type: ignore[arg-type]
    cut = [graph for graph in graphs if linear(graph).program_config is not None]
    assert cut
    for graph, report in zip(cut, check_many(list(map(str, cut)), card), strict=True):
        assert report.ok, report.faults
        assert (report.device_programs, report.conversions) == (1, 0)
        assert report.peak_l1_per_core == linear(graph).workspace(card).circular_buffers


def test_the_values_between_products_stay_in_l1(ttnn_python: str):
    torch.manual_seed(0)
    net = nn.Sequential(nn.LayerNorm(768), nn.Linear(768, 3072), nn.GELU(), nn.Linear(3072, 768)).eval()
    x = torch.randn(8, 384, 768, generator=torch.Generator().manual_seed(1))
    compiled, alone = ttc.compile(net, x), ttc.compile(net, x, optimize=0)
    inner = [v for v in compiled.build.program.graph.values() if v.shape == (8, 384, 3072)]
    assert {spec_of(value).memory.buffer for value in inner} == {Buffer.L1}
    report, found = compiled.report, check(compiled.build.program, N150)
    assert found.ok, found.faults
    assert report.dram_bytes <= 1.1 * report.minimum_dram_bytes
    assert found.peak_l1_per_core <= report.l1_with_circular_buffers
    ours, plain = (program.run(x.numpy())["output"] for program in (compiled, alone))
    np.testing.assert_allclose(ours, plain, atol=0.02)
