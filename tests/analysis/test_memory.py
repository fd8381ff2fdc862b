"""Sizes of buffers and the order of the free list, as measured on the real allocator of both architectures."""

import pytest

from ttc.analysis.memory import Arena
from ttc.calls.banks import bank_bytes
from ttc.calls.target import TARGETS
from ttc.ir import DRAM, L1, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec

N150, P150 = TARGETS["n150"], TARGETS["p150"]
ROWS = Layout.ROW_MAJOR


@pytest.mark.parametrize(
    ("spec", "n150", "p150"),
    [
        (Spec(DType.bf16, (64, 64), memory=L1), 2048, 2048),
        (Spec(DType.bf16, (2048, 64), memory=L1), 2 * 2048, 2 * 2048),
        (Spec(DType.f32, (2229, 7), memory=L1), 8192, 4096),
        (Spec(DType.bfp8, (2048, 64), memory=L1), 2 * 1088, 2 * 1088),
        (Spec(DType.bf16, (2170, 768), memory=L1), 53248 // 2048 * 2048 - 2 * 2048 + 4096, 30720),
        (Spec(DType.f32, (1695, 3072), ROWS, L1), 331776, 196608),
        (Spec(DType.bf16, (2375, 7), ROWS, L1), 38 * 16, 384),
        (Spec(DType.bf16, (145, 768), memory=DRAM), 10 * 2048, 15 * 2048),
        (Spec(DType.bf16, (13, 3), ROWS, DRAM), 2 * 32, 2 * 64),
        (Spec(DType.bf16, (0, 64), memory=L1), 0, 0),
        (Spec(DType.bf16, (), memory=DRAM), 2048, 2048),
    ],
)
def test_bank_bytes(spec: Spec, n150: int, p150: int):
    assert bank_bytes(spec, N150) == n150
    assert bank_bytes(spec, P150) == p150


def test_a_shard_is_what_a_core_holds():
    memory = MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec((8, 1), (64, 32)))
    assert bank_bytes(Spec(DType.bf16, (512, 32), memory=memory), N150) == 64 * 32 * 2


def test_the_highest_block_that_fits_is_taken_at_its_upper_end():
    """Sizes and addresses of a run on the card: free blocks are not searched for the best fit."""
    arena = Arena(1_360_544)
    base = 1_466_368 - 1_360_544
    a, b, _, e, _ = (arena.take(2048 * tiles) for tiles in (10, 20, 5, 30, 4))
    assert (a + base, b + base, e + base) == (1445888, 1404928, 1333248)
    arena.give_back(b)
    assert arena.take(2048 * 6) + base == 1433600
    assert arena.take(2048 * 14) + base == 1404928
    arena.give_back(e)
    arena.give_back(a)
    assert [arena.take(2048 * tiles) + base for tiles in (8, 25, 3, 2, 1)] == [
        1449984,
        1343488,
        1337344,
        1445888,
        1335296,
    ]
    assert arena.lowest + base == 1325056


def test_what_is_given_back_becomes_one_block_again():
    arena = Arena(100)
    taken = [arena.take(10) for _ in range(10)]
    assert arena.take(1) is None
    for address in (taken[3], taken[5], taken[4], taken[9], taken[0]):
        arena.give_back(address)
    assert arena.take(30) == taken[5]
    assert arena.take(20) is None
    assert arena.lowest == taken[8]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        # one page for each of 64 cores, and one page more
        (Spec(DType.bf16, (64 * 32, 32), memory=L1), 2048),
        (Spec(DType.bf16, (64 * 32 + 1, 32), memory=L1), 4096),
        (Spec(DType.bf16, (63 * 32, 32), memory=L1), 2048),
        # rows of 16 bytes, which is what L1 aligns to, and of 18
        (Spec(DType.bf16, (64, 8), ROWS, L1), 32),
        (Spec(DType.bf16, (128, 8), ROWS, L1), 32),
        (Spec(DType.bf16, (129, 8), ROWS, L1), 64),
        (Spec(DType.bf16, (64, 9), ROWS, L1), 32),
        (Spec(DType.bf16, (128, 9), ROWS, L1), 64),
        # 12 banks of DRAM, which align to 32
        (Spec(DType.bf16, (12, 16), ROWS, DRAM), 32),
        (Spec(DType.bf16, (13, 16), ROWS, DRAM), 64),
        (Spec(DType.bf16, (12, 17), ROWS, DRAM), 64),
        (Spec(DType.f32, (), ROWS, DRAM), 32),
        # shards of TTNN's own choice: no fewer cores than one line of the grid
        (Spec(DType.bf16, (8 * 32, 32), memory=MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED)), 2048),
        (Spec(DType.bf16, (9 * 32, 32), memory=MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED)), 4096),
    ],
)
def test_bank_bytes_where_a_page_more_is_needed(spec: Spec, wanted: int):
    assert bank_bytes(spec, N150) == wanted


def test_blocks_are_taken_to_their_last_byte():
    arena = Arena(100)
    assert arena.take(101) is None
    assert arena.take(0) is None
    assert arena.take(100) == 0
    assert arena.take(1) is None
    assert arena.lowest == 0
    arena.give_back(0)
    assert arena.lowest == 100
    assert [arena.take(size) for size in (60, 40)] == [40, 0]
    arena.give_back(0)
    assert arena.take(41) is None
    assert arena.take(40) == 0


def test_a_lower_block_is_taken_where_the_highest_is_too_small():
    arena = Arena(100)
    first, second, third, _ = (arena.take(size) for size in (10, 30, 20, 40))
    arena.give_back(second)
    arena.give_back(first)  # above the second: 60 to 100 is free
    assert arena.take(41) is None
    arena.give_back(third)
    assert arena.take(41) == 59
