"""Program configs of products: their blocks, refusals of what covers no product, and the library's word on them."""

from dataclasses import replace

import pytest

from tests.calls.programs import BF16, F32, One, one, spec, values
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.calls.call import FUSED, CoreGrid, UnaryWithParam
from ttc.calls.matmul import Linear
from ttc.calls.program_config import by_blocks, by_rows, divisor
from ttc.calls.shards import block_shards, height_shards
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, DType, MemoryConfig, Spec

X, W, BIAS = spec(BF16, 1, 1, 784, 512), spec(BF16, 512, 256), spec(BF16, 256)
BLOCKS = by_blocks((8, 7), 25, 16, 8, None)


def test_blocks_of_a_product():
    assert (BLOCKS.per_core_M, BLOCKS.per_core_N, BLOCKS.in0_block_w, BLOCKS.out_subblock_w) == (4, 1, 4, 1)
    assert by_rows((7, 7), 392, 2, 16, None).block_rows == 4  # of 8, so that a block is 64 tiles
    rows = by_rows((5, 5), 98, 2, 8, FUSED["relu"])
    assert (rows.per_core_M, rows.per_core_N, rows.in0_block_w, rows.out_subblock_w) == (4, 8, 2, 4)
    assert rows.fused_activation == UnaryWithParam("RELU")


@pytest.mark.parametrize(("size", "most", "found"), [(16, 8, 8), (9, 4, 3), (7, 4, 1), (3, 8, 3)])
def test_the_largest_divisor(size: int, most: int, found: int):
    assert divisor(size, most) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"program_config": None}, None),
        ({"core_grid": CoreGrid(7, 8)}, "a program config holds the grid and the activation"),
        ({"activation": "relu"}, "a program config holds the grid and the activation"),
        ({"program_config": replace(BLOCKS, in0_block_w=3)}, "16 tiles of the inner size are not read 3 at a time"),
        ({"program_config": replace(BLOCKS, per_core_M=3)}, "25 x 8 tiles need more cores than the program config has"),
        ({"program_config": replace(BLOCKS, out_subblock_h=3)}, "the block of a core is no whole number"),
        (
            {"program_config": replace(by_rows((8, 7), 25, 16, 8, None), out_block_h=2)},
            "1 rows of a core are not computed 2 at a time",
        ),
        ({"program_config": replace(BLOCKS, per_core_M=0)}, "the sizes of a program config are positive"),
        (
            {"program_config": replace(BLOCKS, per_core_N=8, out_subblock_w=8)},
            "a subblock holds 4 tiles at the most",
        ),
        (
            {"program_config": replace(BLOCKS, fused_activation=UnaryWithParam("GELU", 1.0))},
            "linear knows no activation 'GELU' with that number",
        ),
    ],
)
def test_refusals(changes, message: str | None):
    x, w = values(X, W)
    call = replace(Linear(x, w, program_config=BLOCKS), **changes)
    if message is None:
        assert call.infer() == spec(BF16, 1, 1, 784, 256)
        return
    with pytest.raises(Refusal, match=message):
        call.infer()


def test_products_of_shards_state_a_config():
    x, w = values(replace(X, memory=block_shards(X, (8, 7)) or DRAM), W)
    with pytest.raises(Refusal, match="a product of tensors in shards must state its program config"):
        Linear(x, w).infer()
    with pytest.raises(Refusal, match="a product of tensors in shards must state its program config"):
        Linear(*values(X, W), memory_config=block_shards(spec(BF16, 1, 1, 784, 256), (8, 7))).infer()


def test_the_activation_is_that_of_the_config():
    x, w = values(X, W)
    assert Linear(x, w, program_config=by_blocks((8, 7), 25, 16, 8, FUSED["gelu"])).fused == "gelu"
    assert Linear(x, w, program_config=BLOCKS).fused is None
    assert Linear(x, w, activation="tanh").fused == "tanh"


def product(dtype: DType, rows: int, inner: int, columns: int, grid: tuple[int, int], sides: str, height: bool) -> One:
    """A product in height or block shards; `sides` says where operand and result are: (s)hards, (d)ram, (l)1."""
    x, y = spec(dtype, 1, 1, rows, inner), spec(dtype, 1, 1, rows, columns)
    shards = height_shards if height else block_shards

    def placed(side: str, tensor: Spec) -> MemoryConfig:
        memory = {"s": shards(tensor, grid), "d": DRAM, "l": L1}[side]
        assert memory
        return memory

    tiles = -(-rows // 32), inner // 32 // (1 if height or sides[0] != "s" else grid[0]), -(-columns // 32)
    config = (by_rows if height else by_blocks)(grid, *tiles, FUSED["gelu"])
    where = placed(sides[1], y)
    return one(
        lambda a, b, bias: Linear(a, b, bias=bias, program_config=config, memory_config=where),
        replace(x, memory=placed(sides[0], x)),
        spec(dtype, inner, columns),
        spec(dtype, columns),
    )


@pytest.mark.parametrize("target", EACH_CARD)
def test_the_library_takes_configs_and_needs_the_l1_that_is_said(target: str, ttnn_python: str):
    """Of tensors in shards L1 holds the tensors too; the circular buffers are counted byte for byte."""
    sizes = [
        (12544, 64, 512, (7, 7), True),
        (784, 512, 256, (8, 7), False),
        (3136, 64, 256, (7, 7), True),
        (197, 768, 768, (8, 7), False),
    ]
    made = [
        (product(dtype, *size[:4], sides, size[4]), sides)
        for dtype in (BF16, F32, DType.bfp8)
        for size in sizes
        for sides in ("ss", "sd", "ds", "sl", "ls", "dd")
    ]
    reports = check_many([program.text for program, _ in made], TARGETS[target])
    for (program, sides), report in zip(made, reports, strict=True):
        assert report.ok, f"{report.faults}\n{program.text}"
        assert (report.device_programs, report.conversions) == (1, 0)
        said = program.call.workspace(TARGETS[target]).circular_buffers
        if sides == "dd":
            assert said == report.peak_l1_per_core, program.text
