"""Products by columns, of few rows of tiles: what shards are refused, and the library's word on configs and L1."""

from dataclasses import replace
from typing import Any

import pytest

from tests.calls.programs import BF16, F32, One, one, spec, values
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.calls.banks import bank_bytes
from ttc.calls.call import FUSED, spec_of
from ttc.calls.matmul import Linear
from ttc.calls.program_config import by_columns
from ttc.calls.shards import Grid, bank_shards, block_shards, height_shards, width_shards
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, DType, MemoryConfig, Spec


def placed(plain: Spec, memory: Any) -> Spec:
    assert memory is not None
    return replace(plain, memory=memory)


X, W, Y = (spec(BF16, *shape) for shape in ((1, 1, 512), (512, 768), (1, 1, 768)))
HELD, MADE = placed(X, width_shards(X, (8, 1))), placed(Y, width_shards(Y, (8, 3)))
FEW, OF_FEW = width_shards(Y, (8, 1)), by_columns((8, 1), 1, 3, None)
CONFIG = by_columns((8, 3), 2, 1, None)
FIRST = r"of a product by columns is not on the first cores of"
SIDES = "of a product by columns has its"


def test_columns_of_a_product():
    assert (CONFIG.per_core_M, CONFIG.per_core_N, CONFIG.in0_block_w, CONFIG.out_subblock_w) == (1, 1, 2, 1)
    assert CONFIG.mcast_in0
    assert by_columns((8, 8), 128, 2, None).in0_block_w == 16  # 96 tiles of both operands, held twice
    assert by_columns((8, 8), 6, 60, None).in0_block_w == 1
    assert by_columns((8, 1), 6, 6, FUSED["silu"]).out_subblock_w == 3
    few = by_columns((8, 8), 128, 2, None, rows=4)
    assert (few.per_core_M, few.in0_block_w, few.out_subblock_h, few.out_subblock_w) == (4, 8, 1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"x": X}, None),
        ({"memory": DRAM}, None),
        ({"memory": L1}, None),
        ({"x": X, "memory": DRAM, "config": by_columns((5, 2), 16, 3, None)}, None),
        ({"x": replace(HELD, shape=(33, 512))}, "2 x 24 tiles need more cores than the program config has"),
        ({"x": placed(X, block_shards(X, (8, 1)))}, "a product by columns has its operand interleaved"),
        ({"memory": height_shards(Y, (1, 1))}, "a product by columns has its result interleaved or in width shards"),
        ({"x": placed(X, width_shards(X, (4, 4)))}, f"the operand {FIRST} 8 x 3"),
        ({"x": placed(X, width_shards(X, (8, 2))), "config": by_columns((8, 3), 1, 1, None)}, None),
        ({"config": replace(CONFIG, compute_with_storage_grid_size=(12, 2))}, f"the result {FIRST} 12 x 2"),
        ({"config": replace(CONFIG, compute_with_storage_grid_size=(8, 2), per_core_N=2)}, f"the result {FIRST} 8 x 2"),
        ({"x": placed(X, width_shards(X, (8, 2))), "memory": FEW, "config": OF_FEW}, f"the operand {FIRST} 8 x 1"),
        ({"config": replace(CONFIG, in0_block_w=4)}, "2 tiles of the inner size on a core are not read 4 at a time"),
        ({"x": X, "config": replace(CONFIG, in0_block_w=4)}, None),
        ({"config": replace(CONFIG, in0_block_w=3)}, "16 tiles of the inner size are not read 3 at a time"),
        ({"config": replace(CONFIG, per_core_N=2)}, "a core holds 1 tiles of the result, not 2"),
        ({"memory": DRAM, "config": replace(CONFIG, per_core_N=2)}, None),
        ({"w": placed(W, bank_shards(W, 12))}, "a product by blocks reads weights that are interleaved"),
    ],
)  # fmt: skip
def test_what_a_product_by_columns_takes(changes: dict[str, Any], message: str | None):
    given = {"x": HELD, "w": W, "memory": MADE.memory, "config": CONFIG} | changes
    call = Linear(*values(given["x"], given["w"]), memory_config=given["memory"], program_config=given["config"])
    if message is None:
        assert call.infer().shape == (*given["x"].shape[:-1], 768)
        return
    with pytest.raises(Refusal, match=message):
        call.infer()


def product(
    dtypes: tuple[DType, DType], sizes: tuple[int, int], held: Grid | None, made: Grid | None, more: str, high: int = 1
) -> One:
    """A product of so many rows of tiles from one grid of cores to another; None stands for DRAM."""
    inner, columns = sizes
    x, y = (spec(dtypes[0], 1, 32 * high - 25, width) for width in sizes)

    def memory(side: Spec, grid: Grid | None) -> MemoryConfig:
        found = width_shards(side, grid) if grid else DRAM
        assert found is not None
        return found

    grid = max(held or (1, 1), made or (8, 4), key=lambda grid: grid[0] * grid[1])
    own = inner // 32 // (held[0] * held[1] if held else 1)
    cores = made[0] * made[1] if made else grid[0] * grid[1]
    config = by_columns(grid, own, -(-columns // 32 // cores), FUSED["silu"] if more == "silu" else None, high)
    return one(
        lambda a, b, *bias: Linear(
            a, b, bias=bias[0] if bias else None, program_config=config, memory_config=memory(y, made)
        ),
        placed(x, memory(x, held)),
        spec(dtypes[1], inner, columns),
        *([spec(BF16, columns)] if more == "bias" else []),
    )


@pytest.mark.parametrize("target", EACH_CARD)
def test_the_library_takes_configs_and_needs_the_l1_that_is_said(target: str, ttnn_python: str):
    """Circular buffers are counted byte for byte where nothing else lies in L1."""
    ways = [((8, 4), (8, 4)), ((8, 1), (8, 4)), ((8, 4), (8, 1)), ((8, 4), None), (None, (8, 4)), (None, None)]
    made = [
        product(dtypes, sizes, held, made, more)
        for sizes in ((1024, 3072), (4096, 1024))
        for dtypes in ((BF16, BF16), (BF16, DType.bfp8), (F32, F32))
        for more in ("", "bias", "silu")
        for held, made in ways
    ]
    made += [product((BF16, DType.bfp8), (1024, 3072), *way, "bias", high) for way in ways for high in (2, 4)]
    for program, report in zip(made, check_many([program.text for program in made], TARGETS[target]), strict=True):
        assert report.ok, f"{report.faults}\n{program.text}"
        assert (report.device_programs, report.conversions) == (1, 0)
        said = program.call.workspace(TARGETS[target]).circular_buffers
        sides = [spec_of(program.call.operands()[0]), program.call.infer()]
        there = sum(bank_bytes(side, TARGETS[target]) for side in sides if side.memory != DRAM)  # type: ignore[arg-type]
        assert said + there == report.peak_l1_per_core, program.text
