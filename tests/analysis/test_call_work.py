"""What the formulas of the cost model are told of a call: the family, the op, and the numbers of the configuration."""

import pytest

from tests.analysis.test_cost import call
from ttc.analysis.cost.call_work import works
from ttc.analysis.cost.work import Work
from ttc.calls.target import TARGETS

N150 = TARGETS["n150"]


def first(body: str) -> Work:
    """The program that computes, of a program's last call."""
    return works(call(body), N150)[0][0]


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ("2,33,64", {"ROW_B": 0, "COL_B": 0}),
        ("64", {"ROW_B": 1, "COL_B": 0}),
        ("1,64", {"ROW_B": 1, "COL_B": 0}),
        ("33,1", {"ROW_B": 0, "COL_B": 1}),
        ("1,1", {"ROW_B": 0, "COL_B": 1}),
        ("33,64", {"ROW_B": 0, "COL_B": 0}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_operands_that_are_spread_over_rows_or_columns(shape: str, found: dict[str, float], turned: bool):
    operands = "%b, %a" if turned else "%a, %b"
    work = first(f"""
      %a: bf16[2,33,64] tile dram = input(name="a")
      %b: bf16[{shape}] tile dram = input(name="b")
      %y: bf16[2,33,64] tile dram = ttnn.add({operands})
    """)
    assert {name: work.get(name) for name in found} == found


@pytest.mark.parametrize(
    ("given", "made", "to", "name"),
    [
        ("bf16[64,64] row_major", "bf16[64,64] tile", "TILE", "Tilize"),
        ("bf16[33,64] row_major", "bf16[33,64] tile", "TILE", "TilizeWithVal"),
        ("bf16[64,64] tile", "bf16[64,64] row_major", "ROW_MAJOR", "Untilize"),
        ("bf16[64,33] tile", "bf16[64,33] row_major", "ROW_MAJOR", "UntilizeWithUnpadding"),
    ],
)
def test_layouts_with_padding_are_ops_of_their_own(given: str, made: str, to: str, name: str):
    work = first(f'%x: {given} dram = input(name="x") %y: {made} dram = ttnn.to_layout(%x, {to})')
    assert (work.family, work.op) == ("tilize" if to == "TILE" else "untilize", name)


def test_a_config_in_two_directions_says_so():
    work = first("""
      %x: bf16[512,64] tile dram = input(name="x")
      %w: bf16[64,512] tile dram = const(ref="w")
      %y: bf16[512,512] tile dram = ttnn.linear(%x, %w,
        program_config=MatmulMultiCoreReuseMultiCastProgramConfig(compute_with_storage_grid_size=[8, 8],
        in0_block_w=2, out_subblock_h=1, out_subblock_w=2, per_core_M=2, per_core_N=2, transpose_mcast=false,
        fused_activation=none))
    """)
    named = ("two_dimensions", "one_dimension", "by_banks", "N_block_size", "grid_x", "grid_y", "in0_block_w")
    assert [work.get(name) for name in named] == [1, 0, 0, 2, 8, 8, 2]
