"""Rows that go from shards to shards: text before and after, near misses, and the real library's word."""

import pytest

from tests.mock_cards import check_many
from ttc.backend.plan.meet_in_shards import meet_in_shards
from ttc.calls.target import TARGETS
from ttc.ir import verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]
MOVE = "ttnn.to_memory_config"

BANKED = """graph {
  %x: bf16[1,1,32,256] tile dram = input(name="x")
  %w: bf16[256,768] tile dram width_sharded 12x1 of 256x64 = const(ref="w")
  %s: bf16[1,1,32,256] tile l1 width_sharded 4x1 of 32x64 = ttnn.to_memory_config(%x, MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[4, 1], shape=[32, 64])))
  %r: bf16[1,1,1,256] tile l1 width_sharded 4x1 of 32x64 = ttnn.reshape(%s, [1, 1, 1, 256], padded_shape=[1, 1, 32, 256])
  %d: bf16[1,1,1,256] tile dram = ttnn.to_memory_config(%r, MemoryConfig())
  %v: bf16[1,1,256] tile dram = ttnn.reshape(%d, [1, 1, 256])
  %t: bf16[1,1,256] tile l1 width_sharded 8x1 of 32x32 = ttnn.to_memory_config(%v, MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[8, 1], shape=[32, 32])))
  %y: bf16[1,1,768] tile l1 width_sharded 8x1 of 32x96 = ttnn.linear(%t, %w, memory_config=MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[8, 1], shape=[32, 96])), compute_kernel_config=ComputeKernelConfig(), program_config=MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(in0_block_w=1, per_core_M=1, per_core_N=3, fused_activation=none))
  %z: bf16[1,1,768] tile dram = ttnn.to_memory_config(%y, MemoryConfig())
  return "z"=%z
}
"""  # noqa: E501

BY_COLUMNS = """graph {
  %x: bf16[1,1,32,256] tile dram = input(name="x")
  %w: bf16[256,768] tile dram = const(ref="w")
  %s: bf16[1,1,32,256] tile l1 width_sharded 4x1 of 32x64 = ttnn.to_memory_config(%x, MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[4, 1], shape=[32, 64])))
  %r: bf16[1,1,1,256] tile l1 width_sharded 4x1 of 32x64 = ttnn.reshape(%s, [1, 1, 1, 256], padded_shape=[1, 1, 32, 256])
  %d: bf16[1,1,1,256] tile dram = ttnn.to_memory_config(%r, MemoryConfig())
  %v: bf16[1,1,256] tile dram = ttnn.reshape(%d, [1, 1, 256])
  %y: bf16[1,1,768] tile l1 width_sharded 8x3 of 32x32 = ttnn.linear(%v, %w, memory_config=MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[8, 3], shape=[32, 32])), compute_kernel_config=ComputeKernelConfig(), program_config=MatmulMultiCoreReuseMultiCast1DProgramConfig(compute_with_storage_grid_size=[8, 3], in0_block_w=8, out_subblock_h=1, out_subblock_w=1, per_core_M=1, per_core_N=1, fuse_batch=true, fused_activation=none, mcast_in0=true))
  %z: bf16[1,1,768] tile dram = ttnn.to_memory_config(%y, MemoryConfig())
  return "z"=%z
}
"""  # noqa: E501

ROWS = "%y: bf16[1,1,768] tile dram"

CUT = """graph {
  %x: bf16[1,1,256] tile dram = input(name="x")
  %s: bf16[1,1,256] tile l1 width_sharded 4x1 of 32x64 = ttnn.to_memory_config(%x, MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[4, 1], shape=[32, 64])))
  %d: bf16[1,1,256] tile dram = ttnn.to_memory_config(%s, MemoryConfig())
  %r: bf16[1,1,1,256] tile dram = ttnn.reshape(%d, [1, 1, 1, 256])
  %q: bf16[1,1,4,32] tile l1 height_sharded 1x1 of 32x32, %k: bf16[1,1,2,32] tile l1 height_sharded 1x1 of 32x32, %v: bf16[1,1,2,32] tile l1 height_sharded 1x1 of 32x32 = ttnn.experimental.nlp_create_qkv_heads_decode(%r, num_heads=4, num_kv_heads=2)
  %y: bf16[1,1,4,32] tile dram = ttnn.to_memory_config(%q, MemoryConfig())
  return "y"=%y
}
"""  # noqa: E501


def moves(text: str) -> int:
    """The moves that are left of a program, which the real library takes as predicted."""
    after = str(verify(meet_in_shards(parse_program(text), N150)))
    (report,) = check_many([after], N150)
    assert report.ok, report
    return after.count(MOVE)


@pytest.mark.parametrize(("text", "before", "after"), [(BANKED, 4, 2), (BY_COLUMNS, 3, 2), (CUT, 3, 2)])
def test_a_row_is_read_from_the_shards_that_it_lies_in(text: str, before: int, after: int):
    assert text.count(MOVE) == before
    assert moves(text) == after


def test_a_row_is_read_from_any_rectangle_of_cores():
    assert moves(BANKED.replace("4x1 of 32x64", "2x2 of 32x64").replace("grid=[4, 1]", "grid=[2, 2]")) == 2


def test_a_product_by_columns_reads_a_row_as_deep_as_a_core_holds_it():
    after = str(meet_in_shards(parse_program(BY_COLUMNS), N150))
    assert "in0_block_w=2" in after
    assert "compute_with_storage_grid_size=[8, 3]" in after


def test_a_row_on_other_cores_than_the_first_is_left_in_memory():
    """2 x 2 cores are not the first of 8 x 3, row by row."""
    assert moves(BY_COLUMNS.replace("4x1 of 32x64", "2x2 of 32x64").replace("grid=[4, 1]", "grid=[2, 2]")) == 3


def test_a_product_by_rows_reads_no_row_from_width_shards():
    made = "MemoryConfig(buffer=L1, sharding=WIDTH_SHARDED, shard=ShardSpec(grid=[8, 3], shape=[32, 32]))"
    text = BY_COLUMNS.replace(made, "MemoryConfig()").replace(
        "%y: bf16[1,1,768] tile l1 width_sharded 8x3 of 32x32", ROWS
    )
    assert moves(text.replace("mcast_in0=true", "mcast_in0=false").replace("per_core_N=1", "per_core_N=24")) == 3


def test_a_row_that_is_read_deeper_than_it_lies_goes_into_other_shards_by_one_move():
    few, many = "4x1 of 32x64", "8x1 of 32x32"
    text = BANKED.replace(few, "THERE").replace(many, few).replace("THERE", many)
    few, many = "grid=[4, 1], shape=[32, 64]", "grid=[8, 1], shape=[32, 32]"
    text = text.replace(few, "THERE").replace(many, few).replace("THERE", many)
    assert moves(text.replace("in0_block_w=1", "in0_block_w=2")) == 3


def test_rows_over_cores_are_left_by_the_moves_that_stand():
    memory = "sharding={}_SHARDED, shard=ShardSpec(grid={}, shape={})"
    text = BANKED.replace("width_sharded 4x1 of 32x64", "height_sharded 1x1 of 32x256")
    text = text.replace(memory.format("WIDTH", [4, 1], [32, 64]), memory.format("HEIGHT", [1, 1], [32, 256]))
    assert moves(text) == 4
