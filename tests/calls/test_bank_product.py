"""Products of weights over the banks of DRAM: what is refused, and the library's word on configs and L1."""

from dataclasses import replace
from typing import Any

import pytest

from tests.calls.programs import BF16, F32, One, one, spec, values
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.calls.banks import bank_bytes
from ttc.calls.call import FUSED, Call, spec_of
from ttc.calls.matmul import Linear
from ttc.calls.program_config import by_banks, by_blocks, by_rows, padded_columns
from ttc.calls.shards import Grid, bank_shards, block_shards, in_banks, in_order, width_shards
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import L1, DType, Spec


def placed(plain: Spec, memory: Any) -> Spec:
    assert memory is not None
    return replace(plain, memory=memory)


X, W, BIAS, Y = (spec(BF16, *shape) for shape in ((1, 1, 512), (512, 768), (768,), (1, 1, 768)))
HELD, MADE = placed(X, width_shards(X, (4, 1))), placed(Y, width_shards(Y, (8, 1)))
WEIGHT, ADDED = placed(W, bank_shards(W, 12)), placed(BIAS, bank_shards(BIAS, 12))
CONFIG = by_banks(4, 3, 1, None)
SHARES = "a product of weights in the banks of DRAM has one row of tiles"
SIDES = "operand and result of weights in the banks of DRAM lie in width shards"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"x": replace(HELD, shape=(32, 512))}, None),
        ({"bias": ADDED}, None),
        ({"x": replace(HELD, shape=(33, 512))}, f"{SHARES}, not 2"),
        ({"config": replace(CONFIG, per_core_M=2)}, SHARES),
        ({"w": W}, "a DRAM-sharded program config takes weights whose columns lie over the banks of DRAM"),
        ({"w": placed(W, width_shards(W, (8, 1)))}, "a DRAM-sharded program config takes weights"),
        ({"bias": BIAS}, "the bias of weights in the banks of DRAM lies over the same banks"),
        ({"bias": placed(BIAS, bank_shards(BIAS, 8))}, "the bias of weights in the banks of DRAM lies over the same"),
        ({"x": X}, SIDES),
        ({"x": placed(X, block_shards(X, (4, 1)))}, SIDES),
        ({"memory": L1}, SIDES),
        ({"config": replace(CONFIG, in0_block_w=3)}, "4 tiles of the inner size on a core are not read 3 at a time"),
        ({"config": replace(CONFIG, in0_block_w=0)}, "4 tiles of the inner size on a core are not read 0 at a time"),
        ({"config": replace(CONFIG, per_core_N=4)}, "a core holds 3 tiles of the result, not 4"),
        ({"config": by_rows((8, 1), 1, 16, 24, None), "x": X}, "a product by blocks reads weights that are interl"),
        ({"config": by_blocks((8, 1), 1, 16, 24, None), "x": X, "w": placed(W, width_shards(W, (8, 1)))},
         "a product by blocks reads weights that are interleaved, or in columns over banks of DRAM"),
        ({"config": by_blocks((8, 1), 1, 16, 24, None), "x": X, "memory": None}, None),
        ({"config": None, "x": X, "memory": None}, "a product of tensors in shards must state its program config"),
    ],
)  # fmt: skip
def test_what_a_product_of_banks_takes(changes: dict[str, Any], message: str | None):
    given = {"x": HELD, "w": WEIGHT, "bias": None, "memory": MADE.memory, "config": CONFIG} | changes
    specs = [given[name] for name in ("x", "w", "bias") if given[name] is not None]
    x, w, *bias = values(*specs)
    call = Linear(x, w, bias=bias[0] if bias else None, memory_config=given["memory"], program_config=given["config"])
    if message is None:
        assert call.infer().shape == (*given["x"].shape[:-1], 768)
        return
    with pytest.raises(Refusal, match=message):
        call.infer()


def test_a_tensor_over_banks():
    assert str(bank_shards(spec(BF16, 4096, 4096), 12)) == "dram width_sharded 12x1 of 4096x352"
    assert str(bank_shards(spec(BF16, 1000), 7)) == "dram width_sharded 7x1 of 32x160"
    assert in_banks(WEIGHT)
    assert not in_banks(W)
    assert not in_banks(HELD)


@pytest.mark.parametrize(
    ("cores", "columns", "grid"), [(8, 8, (8, 1)), (5, 8, (5, 1)), (9, 8, None), (16, 8, (8, 2)), (64, 11, None)]
)
def test_the_first_cores_of_a_card(cores: int, columns: int, grid: Grid | None):
    assert in_order(cores, columns) == grid


@pytest.mark.parametrize(("tiles", "computed"), [(11, 12), (12, 12), (1, 1), (3, 3), (5, 6), (38, 40), (18, 20)])
def test_columns_are_computed_in_whole_subblocks(tiles: int, computed: int):
    assert padded_columns(tiles) == computed


def test_strips_are_read_less_deep_where_banks_hold_many_columns():
    assert by_banks(16, 3, 25_000, None).in0_block_w == 16
    assert by_banks(16, 3, 25_001, None).in0_block_w == 8
    assert by_banks(7, 3, 1_000_000, None).in0_block_w == 1


def product(target: str, dtypes: tuple[DType, DType, DType], sizes: tuple[int, int], grids: Any, more: str) -> One:
    """A product of one row of tiles by weights over a card's banks, from one grid of cores to another."""
    banks, (inner, columns) = TARGETS[target].dram_banks, sizes
    x, w, y = spec(dtypes[0], 1, 7, inner), spec(dtypes[1], inner, columns), spec(dtypes[2], 1, 7, columns)
    held, made = (placed(side, width_shards(side, grid)) for side, grid in zip((x, y), grids, strict=True))
    assert held.memory.shard is not None
    assert made.memory.shard is not None
    share = [shards.shape[1] // 32 for shards in (held.memory.shard, made.memory.shard)]
    config = by_banks(share[0], share[1], 60_000, FUSED["silu"] if more == "silu" else None)
    bias = spec(BF16, columns)
    return one(
        lambda a, b, *bias: Linear(
            a, b, bias=bias[0] if bias else None, program_config=config, memory_config=made.memory, dtype=dtypes[2]
        ),
        held,
        placed(w, bank_shards(w, banks)),
        *([placed(bias, bank_shards(bias, banks))] if more == "bias" else []),
    )


def sides(call: Call) -> tuple[Spec, Spec]:
    result = call.infer()
    assert isinstance(result, Spec)
    return spec_of(call.operands()[0]), result


@pytest.mark.parametrize("target", EACH_CARD)
def test_the_library_takes_banks_and_needs_the_l1_that_is_said(target: str, ttnn_python: str):
    """One program each, the circular buffers byte for byte beside the shards of operand and result."""
    columns, _ = TARGETS[target].grid
    line, two = (columns, 1), (columns, 2)
    made = [
        product(target, (BF16, DType.bfp8, BF16), (2048, 1024), ((8, 1), (8, 1)), ""),
        product(target, (BF16, DType.bfp4, BF16), (1024, 3072), ((4, 2), (6, 1)), "silu"),
        product(target, (BF16, BF16, BF16), (columns * 128, columns * 64), (two, line), "bias"),
        product(target, (F32, F32, F32), (columns * 64, columns * 192), (line, two), "bias"),
        product(target, (BF16, DType.bfp8, F32), (32, 96), ((1, 1), (1, 1)), ""),
        product(target, (DType.bfp8, DType.bfp8, BF16), (256, 1000 - 8), ((8, 1), (1, 1)), ""),
    ]
    for program, report in zip(made, check_many([x.text for x in made], TARGETS[target]), strict=True):
        assert report.ok, f"{report.faults}\n{program.text}"
        assert (report.device_programs, report.conversions) == (1, 0)
        beside = sum(bank_bytes(side, TARGETS[target]) for side in sides(program.call))
        said = program.call.workspace(TARGETS[target]).circular_buffers
        assert said + beside == report.peak_l1_per_core, program.text
