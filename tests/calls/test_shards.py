"""Shards over rectangles of cores: no core without tiles, and equally many columns for each."""

import pytest

from tests.calls.programs import BF16, ROWS, spec
from ttc.calls.shards import block_shards, even, height_shards, is_sharded, matrix_tiles, most_columns, rectangle
from ttc.ir import L1, MemoryConfig


def text(memory: MemoryConfig | None) -> str:
    return str(memory)


def test_a_tensor_counts_as_one_matrix():
    assert matrix_tiles(spec(BF16, 2, 33, 65)) == (4, 3)
    assert matrix_tiles(spec(BF16, 64)) == (1, 2)


@pytest.mark.parametrize(
    ("count", "parts", "each"), [(25, 7, 4), (25, 8, None), (25, 25, 1), (25, 26, None), (7, 2, 4)]
)
def test_no_part_is_empty(count: int, parts: int, each: int | None):
    assert even(count, parts) == each


def test_height_shards():
    rows = spec(BF16, 1, 1, 3136, 64)
    assert text(height_shards(rows, (7, 7))) == "l1 height_sharded 7x7 of 64x64"
    assert height_shards(rows, (8, 8)) is None  # of 98 rows of tiles 64 cores have 2, and 15 of them none
    assert text(height_shards(spec(BF16, 2, 33, 40), (4, 1))) == "l1 height_sharded 4x1 of 32x64"
    longer = spec(BF16, 1, 1, 5761, 128)
    assert text(height_shards(longer, (8, 7), 5)) == "l1 height_sharded 8x7 and 5 of 96x128"
    assert height_shards(longer, (8, 7), 6) is None  # of 181 rows of tiles 62 cores have 3, and the last one none


def test_block_shards():
    rows = spec(BF16, 1, 1, 784, 512)
    assert text(block_shards(rows, (8, 7))) == "l1 block_sharded 8x7 of 128x64"
    assert block_shards(rows, (8, 8)) is None  # the last row of cores would be empty
    assert block_shards(rows, (3, 7)) is None  # 16 columns of tiles over 3 columns of cores


def test_what_is_interleaved_is_not_sharded():
    assert not is_sharded(spec(BF16, 64, 64, memory=L1))
    memory = block_shards(spec(BF16, 64, 64), (2, 2))
    assert memory
    assert is_sharded(spec(BF16, 64, 64, memory=memory, layout=ROWS))


@pytest.mark.parametrize(("cores", "found"), [(49, (7, 7)), (64, (8, 8)), (56, (8, 7)), (25, (5, 5)), (11, None)])
def test_rectangles_have_exactly_so_many_cores(cores: int, found: tuple[int, int] | None):
    assert rectangle(cores, (8, 8)) == found


def test_rectangles_are_as_wide_as_they_can_be():
    assert rectangle(8, (8, 8)) == (8, 1)
    assert rectangle(11, (11, 10)) == (11, 1)


@pytest.mark.parametrize(("tiles", "limit", "columns"), [(16, 8, 8), (4, 8, 4), (24, 11, 8), (7, 8, 7), (11, 8, 1)])
def test_columns_are_shared_out_evenly(tiles: int, limit: int, columns: int):
    assert most_columns(tiles, limit) == columns
