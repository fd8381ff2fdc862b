"""Writing into caches: beside the real library, beside torch, and what is refused."""

from collections.abc import Callable

import pytest
import torch

from tests.calls.programs import BF16, F32, I32, ROWS, assert_as_predicted, one, spec, values
from ttc.calls.cache import CacheWrite, PagedFillCache, PagedUpdateCache, shards, shares
from ttc.calls.shape import Reshape
from ttc.calls.target import TARGETS
from ttc.calls.unary import Relu
from ttc.errors import InputError, Refusal
from ttc.ir import L1, Builder, DType, Input, Spec
from ttc.runtime.emulator.device import EmulatorDevice
from ttc.runtime.emulator.numerics import round_block_float

CACHE, ROW_SHAPE = (6, 2, 64, 40), (1, 6, 2, 40)


def written(
    cache: Spec | None = None, rows: Spec | None = None, places: Spec | None = None, grid: tuple[int, int] = (3, 2)
) -> PagedUpdateCache:
    given = values(
        cache or spec(BF16, *CACHE),
        rows or spec(BF16, *ROW_SHAPE, memory=shards(grid, 40)),
        places or spec(I32, 6, layout=ROWS),
    )
    return PagedUpdateCache(given[0], given[1], update_idxs_tensor=given[2])


@pytest.mark.parametrize("target", TARGETS)
def test_as_predicted(target: str, ttnn_python: str):
    def program(batch: int, heads: int, size: int, width: int):
        share = shares(batch * heads, TARGETS[target])
        assert share is not None
        each, grid = share
        count = grid[0] * grid[1]
        return one(
            lambda cache, rows, places: PagedUpdateCache(cache, rows, update_idxs_tensor=places),
            spec(BF16, count, each, size, width),
            spec(BF16, 1, count, each, width, memory=shards(grid, width)),
            spec(I32, count, layout=ROWS),
        )

    in_blocks = one(
        lambda cache, rows, places: PagedUpdateCache(cache, rows, update_idxs_tensor=places),
        spec(DType.bfp8, 6, 2, 64, 64),
        spec(BF16, 1, 6, 2, 64, memory=shards((3, 2), 64)),
        spec(I32, 6, layout=ROWS),
    )
    sizes = [(1, 8, 1024, 64), (1, 1, 50, 40), (2, 32, 64, 128), (3, 40, 33, 256), (9, 8, 64, 32)]
    programs = [in_blocks, *(program(*size) for size in sizes)]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize(
    ("count", "n150", "p150"),
    [
        (1, (1, (1, 1)), (1, (1, 1))),
        (8, (1, (8, 1)), (1, (8, 1))),
        (11, (11, (1, 1)), (1, (11, 1))),
        (12, (1, (6, 2)), (1, (6, 2))),
        (64, (1, (8, 8)), (1, (8, 8))),
        (65, (13, (5, 1)), (13, (5, 1))),
        (110, (11, (5, 2)), (1, (11, 10))),
        (37, None, None),
        (64 * 32, (32, (8, 8)), (32, (8, 8))),
        (64 * 33, None, (24, (11, 8))),
    ],
)
def test_heads_are_shared_by_as_many_cores_as_fit(count: int, n150: object, p150: object):
    assert shares(count, TARGETS["n150"]) == n150
    assert shares(count, TARGETS["p150"]) == p150


def test_rows_are_put_at_their_positions_and_none_at_minus_one():
    device, call = EmulatorDevice(), written()
    cache = torch.zeros(CACHE, dtype=torch.bfloat16)
    rows, places = torch.randn(ROW_SHAPE).bfloat16(), torch.tensor([0, 63, -1, 5, 32, 31])
    given = {"cache_tensor": cache, "input_tensor": rows, "update_idxs_tensor": places}
    (found,) = device.run(call, given, (call.infer(),))
    assert found.data_ptr() == cache.data_ptr()
    wanted = torch.zeros(CACHE, dtype=torch.bfloat16)
    for entry in (0, 1, 3, 4, 5):
        wanted[entry, :, places[entry]] = rows[0, entry]
    assert torch.equal(cache, wanted)
    for beyond in (64, -2):
        places[4] = beyond
        with pytest.raises(InputError, match=f"position {beyond} is beyond a cache of 64 rows"):
            device.run(call, given, (call.infer(),))


def test_rows_are_rounded_to_the_blocks_of_a_cache_in_bfp8():
    call = written(spec(DType.bfp8, *CACHE))
    cache = torch.zeros(CACHE, dtype=torch.bfloat16)
    rows = torch.randn(ROW_SHAPE).bfloat16()
    given = {"cache_tensor": cache, "input_tensor": rows, "update_idxs_tensor": torch.arange(6)}
    EmulatorDevice().run(call, given, (call.infer(),))
    found = cache[3, :, 3].float()
    assert torch.equal(found, round_block_float(rows[0, 3].float(), 7))
    assert not torch.equal(found, rows[0, 3].float())


def test_the_result_lies_in_the_cache_and_views_of_it_are_overwritten():
    builder = Builder()
    cache = builder(Input(spec(BF16, 3, 4, 64, 40), "x"))
    view = builder(Reshape(cache, CACHE))
    rest = values(spec(BF16, *ROW_SHAPE, memory=shards((3, 2), 40)), spec(I32, 6, layout=ROWS))
    call = PagedUpdateCache(view, rest[0], update_idxs_tensor=rest[1])
    assert call.alias() is view
    assert call.overwrites() == (view, cache)
    made = builder(Relu(view))
    with pytest.raises(Refusal, match="is written in place, and is no input"):
        PagedUpdateCache(made, rest[0], update_idxs_tensor=rest[1]).infer()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cache": spec(F32, *CACHE)}, "the cache is f32; accepted are bf16, bfp8"),
        ({"cache": spec(BF16, *CACHE, layout=ROWS)}, "the cache is in ROW_MAJOR layout"),
        ({"cache": spec(BF16, *CACHE, memory=L1)}, "the cache and tables of integers must be in DRAM"),
        ({"cache": spec(BF16, *CACHE[1:])}, r"a cache is \[B, H, S, D\] of at most 32 heads, got \[2, 64, 40\]"),
        ({"cache": spec(BF16, 6, 33, 64, 40)}, r"at most 32 heads, got \[6, 33, 64, 40\]"),
        ({"cache": spec(BF16, 6, 2, 64, 41)}, r"rows \[1, 6, 2, 40\] at \[6\] do not fit a cache"),
        ({"rows": spec(F32, *ROW_SHAPE, memory=shards((3, 2), 40))}, "rows to write is f32"),
        ({"rows": spec(BF16, *ROW_SHAPE)}, "the rows to write are in dram; accepted are 6 shards, each on its core"),
        ({"grid": (3, 1)}, "accepted are 6 shards, each on its core"),
        ({"rows": spec(BF16, *ROW_SHAPE, memory=shards((3, 2), 72))}, "accepted are 6 shards, each on its core"),
        ({"places": spec(I32, 6)}, "a table of integers is in TILE layout"),
        ({"places": spec(BF16, 6, layout=ROWS)}, "a table of integers is bf16"),
        ({"places": spec(I32, 5, layout=ROWS)}, r"rows \[1, 6, 2, 40\] at \[5\] do not fit"),
        ({"places": spec(I32, 6, layout=ROWS, memory=L1)}, "the cache and tables of integers must be in DRAM"),
    ],
)
def test_one_step_further_is_refused(changes: dict, words: str):
    written().infer()
    with pytest.raises(Refusal, match=words):
        written(**changes).infer()


POOL, TABLE = spec(BF16, 7, 2, 64, 40), spec(I32, 6, 3, layout=ROWS)


def through_a_table(pool: Spec = POOL, table: Spec = TABLE, places: Spec | None = None) -> PagedUpdateCache:
    rows = spec(BF16, *ROW_SHAPE, memory=shards((3, 2), 40))
    given = values(pool, rows, places or spec(I32, 6, layout=ROWS), table)
    return PagedUpdateCache(given[0], given[1], update_idxs_tensor=given[2], page_table=given[3])


def filled(pool: Spec = POOL, rows: Spec | None = None, table: Spec | None = None) -> PagedFillCache:
    return PagedFillCache(*values(pool, rows or spec(BF16, 1, 2, 192, 40), table or spec(I32, 1, 3, layout=ROWS)))


@pytest.mark.parametrize("target", TARGETS)
def test_pools_as_predicted(target: str):
    programs = []
    for dtype in (BF16, F32, DType.bfp8):
        pool, rows, table = spec(dtype, 9, 8, 32, 128), spec(dtype, 1, 8, 96, 128), spec(I32, 1, 3, layout=ROWS)
        programs.append(one(PagedFillCache, pool, rows, table))
        programs.append(one(PagedFillCache, spec(dtype, 90, 1, 32, 40), spec(dtype, 1, 1, 32 * 77, 40),
                            spec(I32, 1, 77, layout=ROWS)))  # fmt: skip
    for dtype in (BF16, DType.bfp8):
        for batch, grid, pages in ((1, (1, 1), 3), (8, (8, 1), 40)):
            programs.append(
                one(
                    lambda pool, rows, places, table: PagedUpdateCache(
                        pool, rows, update_idxs_tensor=places, page_table=table
                    ),
                    spec(dtype, 40, 8, 64, 128),
                    spec(BF16, 1, batch, 8, 128, memory=shards(grid, 128)),
                    spec(I32, batch, layout=ROWS),
                    spec(I32, batch, pages, layout=ROWS),
                )
            )
    assert_as_predicted(programs, target)


def test_rows_are_put_into_the_blocks_that_a_table_names():
    device, call = EmulatorDevice(), through_a_table()
    pool, rows = torch.zeros(POOL.shape, dtype=torch.bfloat16), torch.randn(ROW_SHAPE).bfloat16()
    table = torch.tensor([[0, 1, 2], [5, 6, 4], [0, 0, 0], [0, 3, 0], [2, 0, 0], [6, 5, 0]])
    places = torch.tensor([0, 64 + 63, -1, 64 + 5, 32, 31])
    given = {"cache_tensor": pool, "input_tensor": rows, "update_idxs_tensor": places, "page_table": table}
    device.run(call, given, (call.infer(),))
    wanted = torch.zeros(POOL.shape, dtype=torch.bfloat16)
    for entry, block, row in ((0, 0, 0), (1, 6, 63), (3, 3, 5), (4, 2, 32), (5, 6, 31)):
        wanted[block, :, row] = rows[0, entry]
    assert torch.equal(pool, wanted)
    places[0] = 192
    with pytest.raises(InputError, match="position 192 is beyond a cache of 192 rows"):
        device.run(call, given, (call.infer(),))
    for block in (7, -1):
        places[0], table[0, 0] = 5, block
        with pytest.raises(InputError, match=f"block {block} is beyond a pool of 7 blocks"):
            device.run(call, given, (call.infer(),))


def test_blocks_are_filled_but_for_minus_one():
    device, call = EmulatorDevice(), filled()
    pool, rows = torch.zeros(POOL.shape, dtype=torch.bfloat16), torch.randn(1, 2, 192, 40).bfloat16()
    given = {"cache_tensor": pool, "input_tensor": rows, "page_table": torch.tensor([[6, -1, 0]])}
    (found,) = device.run(call, given, (call.infer(),))
    assert found.data_ptr() == pool.data_ptr()
    wanted = torch.zeros(POOL.shape, dtype=torch.bfloat16)
    wanted[6], wanted[0] = rows[0, :, :64], rows[0, :, 128:]
    assert torch.equal(pool, wanted)
    given["page_table"][0, 0] = 7
    with pytest.raises(InputError, match="block 7 is beyond a pool of 7 blocks"):
        device.run(call, given, (call.infer(),))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: through_a_table(spec(BF16, 7, 2, 48, 40)), "blocks of 48 rows are no multiple of the tile"),
        (
            lambda: through_a_table(table=spec(I32, 5, 3, layout=ROWS)),
            r"\[5, 3\] does not fit 6 sequences",
        ),
        (
            lambda: through_a_table(table=spec(I32, 6, 8, layout=ROWS)),
            r"\[6, 8\] does not fit .* 7 blocks",
        ),
        (lambda: through_a_table(table=spec(I32, 18, layout=ROWS)), r"a page table \[18\] does not fit"),
        (lambda: through_a_table(table=spec(I32, 6, 3)), "a table of integers is in TILE layout"),
        (lambda: through_a_table(places=spec(I32, 5, layout=ROWS)), r"rows \[1, 6, 2, 40\] at \[5\] do not fit"),
        (lambda: filled(spec(DType.bfp8, 7, 2, 64, 40)), "the rows to write is bf16; accepted are bfp8"),
        (lambda: filled(spec(DType.bfp4, 7, 2, 64, 40)), "the cache is bfp4"),
        (lambda: filled(rows=spec(BF16, 1, 2, 160, 40)), r"rows \[1, 2, 160, 40\] do not fill blocks of"),
        (lambda: filled(rows=spec(BF16, 2, 2, 192, 40)), "do not fill blocks of"),
        (lambda: filled(rows=spec(BF16, 1, 2, 192, 40, memory=shards((3, 4), 40))), "the rows to write are in"),
        (lambda: filled(table=spec(I32, 2, 3, layout=ROWS)), r"a page table \[2, 3\] does not fit 1 sequences"),
        (lambda: filled(table=spec(I32, 1, 3, layout=ROWS, memory=L1)), "tables of integers must be in DRAM"),
    ],
)
def test_one_step_further_is_refused_of_pools(make: Callable[[], CacheWrite], words: str):
    through_a_table().infer()
    filled().infer()
    with pytest.raises(Refusal, match=words):
        make().infer()
