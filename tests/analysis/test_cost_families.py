"""Formulas of the cost model: one case by hand for each family, and that more work never takes less time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ttc.analysis.cost.amounts import cores_of
from ttc.analysis.cost.constants import CONSTANTS
from ttc.analysis.cost.division import divide
from ttc.analysis.cost.estimate import Estimate
from ttc.analysis.cost.families import AMOUNTS, constant, price_work
from ttc.analysis.cost.work import Card, Tensor, Work
from ttc.calls.call import MathFidelity
from ttc.ir import Buffer, DType, Layout, Sharding

WORMHOLE = Card("wormhole_b0", (8, 8), 12)
CUT = Card("blackhole", (5, 4), 8)
FEW = Card("wormhole_b0", (5, 4), 12)


def tensor(
    *shape: int,
    dtype: DType = DType.bf16,
    layout: Layout = Layout.TILE,
    buffer: Buffer = Buffer.DRAM,
    sharding: Sharding = Sharding.INTERLEAVED,
    logical: tuple[int, ...] = (),
) -> Tensor:
    return Tensor(shape, logical or shape, dtype, layout, buffer, sharding)


def rows(*shape: int, **more) -> Tensor:
    return tensor(*shape, layout=Layout.ROW_MAJOR, **more)


def shards(*shape: int, **more) -> Tensor:
    return tensor(*shape, buffer=Buffer.L1, sharding=Sharding.HEIGHT_SHARDED, **more)


BIG, SMALL, LINE = tensor(7680, 256), tensor(32, 32), tensor(32, 256)

BY_HAND: Mapping[str, tuple[Work, dict[str, float]]] = {
    # 1,920 tiles on 20 cores are 96 each; a number's operand and a line's are no streams of their own
    "binary": (
        Work("binary", "BinaryNg ADD", (BIG, LINE), (BIG,), 20, config={"ROW_B": 1}),
        {"wait": 192, "wait_dram": 192, "fill": 1, "row_broadcast": 96, "column_broadcast": 0, "slow": 0},
    ),
    "unary": (Work("unary", "Unary EXP", (BIG,), (BIG,), 20), {"wait": 192, "far_kilobyte": 384, "slow": 96}),
    "typecast": (
        Work("typecast", "Typecast", (BIG,), (tensor(7680, 256, dtype=DType.u32),), 20),
        {"wait": 192, "to_integer": 96, "far_kilobyte": 96 * 2 + 96 * 4},
    ),
    # 24 sums on 20 cores: two on the fullest, of 96 tiles each
    "accumulation": (
        Work("accumulation", "CUMSUM", (tensor(96, 1, 96, 256),), (tensor(96, 1, 96, 256),), 20),
        {"wait": 2 * 96 * 2, "fill": 1},
    ),
    "move": (
        Work("move", "Move", (rows(1000, 256),), (rows(1000, 256),), 20),
        {"row_alone": 50, "far_kilobyte": 50},
    ),
    # four columns of five cores, 96 rows of 64 elements each
    "reshard": (
        Work(
            "reshard",
            "InterleavedToSharded",
            (rows(480, 256),),
            (rows(480, 256, buffer=Buffer.L1, sharding=Sharding.BLOCK_SHARDED),),
            20,
            config={"shard_width": 64},
        ),
        {"row_in": 96, "row_out": 0, "kilobyte_in": 12, "kilobyte_within": 0},
    ),
    "slice": (Work("slice", "Slice", (BIG,), (tensor(640, 256),), 20), {"wait": 16, "wait_dram": 16}),
    "concat": (Work("concat", "Concat", (BIG, BIG), (tensor(7680, 512),), 20), {"wait": 384, "far_kilobyte": 768}),
    "tilize": (
        Work("tilize", "TilizeWithVal", (rows(1000, 64),), (tensor(1024, 64),), 20),
        {"row_alone": 50, "row": 0, "first_block": 1},
    ),
    "untilize": (
        Work("untilize", "Untilize", (BIG,), (rows(7680, 256),), 20),
        {"tile": 96, "tile_row": 12, "row": 384, "block_kilobyte": 192},
    ),
    "transpose": (Work("transpose", "Transpose HC", (BIG,), (BIG,), 20), {"tile": 96, "mixed": 96}),
    "permute": (
        Work("permute", "Permute", (rows(7, 100, 40),), (rows(100, 40, 7),), 20),
        {"element": 1400, "row": 35, "tile_in": 0},
    ),
    # 71 whole rows on the fullest core, of 7 pieces of 12 bytes each
    "reshape": (
        Work("reshape", "Reshape", (rows(9856, 6),), (rows(1408, 42),), 20),
        {"piece": 497, "copied_kilobyte": 497 * 12 / 1024},
    ),
    "embedding": (
        Work("embedding", "Embeddings", (SMALL, BIG), (rows(64, 256),), 2),
        {"row_alone": 32, "far_kilobyte": 2 * 16, "tile": 8},
    ),
    "heads": (Work("heads", "NLPConcatHeads", (BIG,), (BIG,), 20), {"wait": 192}),
    # whole rows of tiles: 240 on 20 cores, 8 tiles each
    "norm": (
        Work("norm", "LayerNorm", (BIG, LINE), (BIG,), 20),
        {"tile": 96, "centred": 96, "dram": 2 * 1920 * 2048 / CUT.dram_bytes_per_second},
    ),
    "softmax": (
        Work("softmax", "Softmax", (LINE,), (LINE,), 20),
        {"tile": 8, "dram": 2 * 8 * 2048 / CUT.dram_bytes_per_second},
    ),
    "reduction": (Work("reduction", "Reduce", (BIG,), (tensor(7680, 32),), 20), {"wait": 96 + 12}),
    "group_norm": (
        Work("group_norm", "GroupNorm", (shards(7680, 128),), (BIG,), 20, config={"num_groups": 16}),
        {"group": 320, "tile_group": 192, "far_tile": 0},
    ),
    "rotary": (Work("rotary", "RotaryEmbeddingLlama", (BIG,), (BIG,), 20), {"tile": 96, "wait": 192}),
    "one_token": (
        Work("one_token", "ROTARY_EMBEDDING_HF", (shards(32, 128),), (shards(32, 128),), 1),
        {"tile": 4},
    ),
    "convolution": (
        Work(
            "convolution",
            "Conv2d",
            (shards(30720, 64), tensor(576, 64)),
            (shards(30720, 64),),
            20,
            MathFidelity.HiFi2,
            config={"act_block_h_ntiles": 1, "act_block_w_ntiles": 6},
        ),
        {"engine": 48 * 2 * 18 * 32, "engine_in_turns": 0, "activation": 864, "weight_kilobyte": 72, "block": 144},
    ),
    "halo": (
        Work("halo", "Halo", (shards(30720, 64),), (rows(43840, 64),), 20, config={"window": 9}),
        {"row": 2192, "kilobyte": 274, "foreign": 82, "tile": 96, "tile_row": 48},
    ),
    "pool": (
        Work("pool", "Pool2D", (rows(151540, 64, buffer=Buffer.L1, sharding=Sharding.HEIGHT_SHARDED),), (BIG,), 20,
             config={"window": 9}),
        {"row": 2 * 3456, "place": 0},
    ),
    "attention": (
        Work(
            "attention",
            "SDPA",
            (tensor(1, 4, 256, 64), tensor(1, 4, 256, 64)),
            (tensor(1, 4, 256, 64),),
            16,
            MathFidelity.HiFi2,
            config={"q_chunk_size": 64, "k_chunk_size": 64},
        ),
        {"engine": 2 * 8 * 2 * 2 * 32, "score": 16, "chunk_row": 16, "key": 32},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", AMOUNTS)
def test_amounts_by_hand(family: str):
    work, wanted = BY_HAND[family]
    found = AMOUNTS[family](work, CUT)
    assert found["start"] == 1
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)


def convolution(cores: int, fidelity: MathFidelity, width: int, **config: float) -> Work:
    """A convolution of 9 taps: 960 tiles of rows, 18 of depth, and some of columns."""
    given, made = (shards(30720, columns) for columns in (64, 32 * width))
    return Work("convolution", "Conv2d", (given, tensor(576, 32 * width)), (made,), cores, fidelity, config=config)


def halo(**config: float) -> Work:
    return Work("halo", "Halo", (shards(30720, 64),), (rows(43840, 64),), 20, config=config)


OTHER_FORMS = {
    "all cores, blocks as large as there are": (
        convolution(0, MathFidelity.HiFi4, 2, taps=4),
        {"engine": 48 * 2 * 18 * 64, "engine_in_turns": 0, "activation": 48 * 18, "block": 1,
         "weight_kilobyte": 18 * 4},
    ),
    # 4 columns of 5 cores; of each of 9 taps' 2 tiles a column of cores has one at most
    "channels shared out over columns of cores": (
        convolution(20, MathFidelity.HiFi2, 8, num_cores_c=4, taps=9, act_block_h_ntiles=6, act_block_w_ntiles=4),
        {"engine": 0, "engine_in_turns": 192 * 2 * 36 * 32, "activation": 192 * 9, "block": 32 * 9,
         "weight_kilobyte": 18 * 4 * 32},
    ),
    # 4 columns of cores hold 5 tiles of depth at most, a turn each; 2 columns hold 4 tiles of the result
    "other columns of results, told rows of cores": (
        convolution(20, MathFidelity.LoFi, 8, num_cores_c=4, num_cores_c_out=2, num_cores_nhw=3),
        {"engine_in_turns": 320 * 4 * 20 * 16, "activation": 320 * 5, "block": 4, "weight_kilobyte": 18 * 8},
    ),
    "told columns of the operand, and rows of the result": (
        convolution(20, MathFidelity.HiFi4, 10, num_cores_c_in=2, taps=4, per_core_out_matrix_height_ntile=7),
        {"engine": 0, "engine_in_turns": 7 * 10 * 24 * 64, "activation": 7 * 12, "block": 2},
    ),
    "fewer cores than columns of them": (
        convolution(1, MathFidelity.LoFi, 2, num_cores_c=2), {"engine_in_turns": 960 * 18 * 16, "activation": 960 * 9},
    ),
    # 1,736 rows of 1,536, half of the columns: 200 rows of 32 elements from neighbours
    "a halo in blocks": (
        halo(window=9, shard_width=32, shard_height=1536, max_out_nsticks_per_core=1736),
        {"row": 1736, "foreign": 12.5, "tile": 48 * 2, "tile_row": 48},
    ),
    "a halo of fewer rows than were held": (
        halo(window=9, max_out_nsticks_per_core_=100), {"row": 100, "foreign": 0},
    ),
    # 330 rows a core of 6,519: the last begins 77 rows below an equal part
    "a halo of shards higher than an equal part": (
        Work("halo", "Halo", (shards(6528, 256, logical=(6519, 256)),), (rows(12960, 256),), 20,
             config={"window": 9, "shard_height": 330, "max_out_nsticks_per_core": 648}),
        {"row": 648, "foreign": (648 - 330 + 330 * 19 - 6519 * 19 / 20) / 2},
    ),
    "rows of other cores alone": (
        Work("halo", "Halo", (shards(6528, 256, logical=(6519, 256)),), (rows(12960, 256),), 20,
             config={"window": 1, "shard_height": 400, "max_out_nsticks_per_core": 500}),
        {"foreign": 500 / 2},
    ),
    "a window of two": (halo(window=2), {"row": 2192, "foreign": 82}),
    "a window of one": (halo(window=1), {"row": 2192, "foreign": 0}),
    "no window": (halo(), {"row": 2192, "foreign": 0}),
    "a pool that tells places": (
        Work("pool", "Pool2D", (rows(1000, 64),), (BIG, BIG), 20), {"row": 2 * 384, "place": 2 * 384},
    ),
    "a norm without means, of shards": (
        Work("norm", "LayerNorm RMSNORM", (shards(7680, 256),), (shards(7680, 256),), 20),
        {"tile": 96, "centred": 0, "dram": 0},
    ),
    "a number in place of an operand": (
        Work("binary", "BinaryNg MUL", (BIG,), (BIG,), 20), {"wait": 192, "number": 1, "slow": 0},
    ),
    "two operands": (Work("binary", "BinaryNg DIV", (BIG, BIG), (BIG,), 20), {"number": 0, "slow": 96}),
    # 1,000 rows of 40 elements: each goes into three faces
    "a reshape of tiles": (
        Work("reshape", "Reshape", (BIG,), (tensor(1024, 64, logical=(1000, 40)),), 20), {"part": 150, "tile": 4},
    ),
    # nine rows on nine cores, each cut into 159 pieces of 318 bytes
    "rows cut by fewer cores than there are": (
        Work("reshape", "Reshape", (rows(9, 25281),), (rows(1431, 159),), 20),
        {"piece": 159, "copied_kilobyte": 159 * 318 / 1024},
    ),
    "pieces at multiples of 16 bytes": (
        Work("reshape", "Reshape", (rows(1408, 64),), (rows(11264, 8),), 20), {"piece": 71 * 8, "copied_kilobyte": 0},
    ),
    "pieces of 8 bytes more": (
        Work("reshape", "Reshape", (rows(1408, 24),), (rows(2816, 12),), 20),
        {"piece": 71 * 2, "copied_kilobyte": 71 * 2 * 24 / 1024},
    ),
    "shards written to DRAM": (
        Work("reshard", "ShardedToInterleaved", (shards(7680, 256),), (BIG,), 20),
        {"kilobyte_in": 0, "kilobyte_out": 192, "kilobyte_within": 0, "dram": 1920 * 2048 / CUT.dram_bytes_per_second},
    ),
    "shards to other shards": (
        Work("reshard", "Reshard", (shards(7680, 256),), (shards(7680, 256),), 20),
        {"kilobyte_in": 0, "kilobyte_out": 0, "kilobyte_within": 192, "dram": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_amounts_of_other_forms_by_hand(form: str):
    work, wanted = OTHER_FORMS[form]
    found = AMOUNTS[work.family](work, CUT)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)


def test_heads_of_one_token_are_taken_by_lines():
    q, k = (shards(1, 1, 32, 128, logical=(1, 1, heads, 128)) for heads in (28, 4))
    cut = Work("one_token", "NLP_CREATE_QKV_HEADS_DECODE", (tensor(1, 1, 32, 4608),), (q, k, k), 1)
    assert AMOUNTS["one_token"](cut, CUT) == {"start": 1, "line": (28 + 4 + 4) * 4}
    joined = Work("one_token", "NLP_CONCAT_HEADS_DECODE", (q,), (shards(1, 1, 32, 3584),), 28)
    assert AMOUNTS["one_token"](joined, CUT) == {"start": 1, "line": 4}


@pytest.mark.parametrize("family", AMOUNTS)
@pytest.mark.parametrize("card", [WORMHOLE, CUT], ids=lambda card: card.arch)
def test_a_sum_is_its_amounts_by_the_constants(family: str, card: Card):
    work, _ = BY_HAND[family]
    known = CONSTANTS[card.arch]
    amounts = AMOUNTS[family](work, card)
    moved = amounts.pop("dram", 0.0) * known["dram.share"]
    start = amounts.pop("start") * known[f"{family}.start"] / card.clock_hz
    start += amounts.pop("fill", 0) * known["stream.fill"] / card.clock_hz
    core = sum(amount * known[constant(family, name)] for name, amount in amounts.items()) / card.clock_hz
    found = price_work(work, card).seconds
    assert start + max(core, moved) <= found * (1 + 1e-9)
    assert found <= start + (core**8 + moved**8) ** (1 / 8) * (1 + 1e-9) + 1e-15


@pytest.mark.parametrize("family", AMOUNTS)
def test_more_cores_are_never_slower(family: str):
    work, _ = BY_HAND[family]
    times = [price_work(replace(work, cores=cores), CUT).seconds for cores in (1, 2, 5, 10, 20)]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("family", ["binary", "unary", "move", "concat", "tilize", "untilize", "norm", "reduction"])
def test_more_bytes_are_never_faster(family: str):
    work, _ = BY_HAND[family]
    wide = [replace(work, inputs=_longer(work.inputs, by), outputs=_longer(work.outputs, by)) for by in (1, 2, 4, 16)]
    times = [price_work(item, CUT).seconds for item in wide]
    assert times == sorted(times)
    assert times[-1] > times[0]


@pytest.mark.parametrize("family", ["norm", "softmax"])
def test_norms_take_whole_rows_of_tiles(family: str):
    for shape, cores in (((32, 256), 1), ((33, 256), 2), ((2, 64, 256), 4), ((7680, 32), 64)):
        padded = (*shape[:-2], -(-shape[-2] // 32) * 32, shape[-1])
        assert cores_of(Work(family, "", (tensor(*padded),), (tensor(*padded),)), WORMHOLE) == cores


def _longer(tensors: tuple[Tensor, ...], by: int) -> tuple[Tensor, ...]:
    return tuple(
        replace(x, shape=(*x.shape[:-2], x.shape[-2] * by, x.shape[-1]), logical=(x.logical[-2] * by, x.logical[-1]))
        for x in tensors
    )


def matmul(m: int, k: int, n: int, dtype: DType = DType.bf16, cores: int = 0, **config: float) -> Work:
    a, b, c = (tensor(*shape, dtype=dtype) for shape in ((m, k), (k, n), (m, n)))
    return Work("product", "matmul", (a, b), (c,), cores, MathFidelity.HiFi2, config=config)


def test_a_square_product_is_divided_in_both_directions():
    found = divide(matmul(1024, 1024, 2048), WORMHOLE)
    assert (found.rows, found.columns, found.cores, found.listeners) == (4, 8, 64, 14)
    assert (found.read_a, found.readers_a, found.read_b, found.readers_b) == (128, 8, 256, 8)
    assert (found.block_rows, found.block_columns, found.depth, found.sweeps_a, found.sweeps_b) == (4, 8, 4, 1, 1)


@pytest.mark.parametrize(
    ("shape", "cores", "rows", "columns", "readers"),
    [
        ((512, 1024, 2048), 64, 16, 1, (1, 64)),  # width from four times the height on: whole columns
        ((544, 1024, 2144), 63, 3, 9, (6, 8)),  # less
        ((2048, 512, 256), 64, 8, 1, (8, 8)),  # height up to eight times the width: both directions
        ((2336, 512, 256), 64, 2, 8, (37, 1)),  # more: whole rows
        ((32, 2048, 5120), 64, 1, 3, (1, 54)),
    ],
)
def test_ttnns_own_division(shape, cores: int, rows: int, columns: int, readers: tuple[int, int]):
    found = divide(matmul(*shape), WORMHOLE)
    assert (found.rows, found.columns) == (rows, columns)
    assert (found.readers_a, found.readers_b) == readers
    assert found.cores <= cores


def test_told_cores_decide_between_divisions():
    assert divide(matmul(1920, 256, 256, cores=16), CUT).readers_a == 4
    assert divide(matmul(1920, 256, 256, cores=20), CUT).readers_a == 20


def test_a_large_block_is_computed_in_parts_and_read_again():
    found = divide(matmul(16384, 16384, 16384), WORMHOLE)
    assert found.rows == found.columns == 64
    assert found.sweeps_a == found.sweeps_b == 4
    assert 2 * found.depth * (found.block_rows + found.block_columns) * 2048 <= 1_300_000


def test_a_product_by_hand():
    work, known = matmul(1024, 1024, 2048), CONSTANTS["wormhole_b0"]
    page = known["product.page"] + known["product.byte"] * 2048
    found = price_work(work, WORMHOLE)
    waits = 14 * 8 * known["product.step"]
    assert found.together["NoC"] == pytest.approx((256 * page + waits) * 1e-9 * known["product.stretch"])
    read = (32 * 32 + 32 * 64) * 2048 / 288e9
    assert found.together["DRAM"] == pytest.approx(read * known["product.dram"] * known["product.stretch"])
    passes, unpack = 32 + known["product.overhead"], known["product.unpack"] * 32 * 1.25
    cycles = 4 * 8 * 32 * (passes**8 + unpack**8) ** (1 / 8)
    assert found.together["matrix engine"] == pytest.approx(cycles * 1e-9 * known["product.stretch"])
    assert found.serial["DRAM"] == pytest.approx(known["product.write"] * 32 * 64 * 2048 / 288e9)


def on_shards(m: int, k: int, n: int, **config: float) -> Work:
    work = matmul(m, k, n, **config)
    return replace(work, inputs=(shards(m, k), work.inputs[1]))


def batches(**config: float) -> Work:
    each = tensor(6, 256, 256)
    return Work("product", "matmul", (each, each), (each,), 0, MathFidelity.HiFi2, config=config)


@pytest.mark.parametrize(
    ("work", "card", "sent", "read", "steps", "rounds", "tiles", "fill"),
    [
        # rows of shards are sent along, columns of weights read: whichever takes longer, and 8 steps of 7 listeners
        (on_shards(2560, 512, 1024), FEW, 320, 112, 8 * 7, 0, 112 * 5, 2 * 7),
        # whole columns: one core holds all rows and sends them to 15
        (on_shards(32, 512, 1024, one_dimension=1), FEW, 16, 32, 16 * 15, 0, 32 * 16, 1 * 2),
        # whole rows: nobody sends
        (on_shards(2560, 512, 32, one_dimension=1, send_a=0), FEW, 0, 16, 19, 0, 16, 16 * 1),
        # six products in turn, on 16 cores each: five begin again
        (batches(batch_in_turn=1), FEW, 0, 6 * 16, 24 * 6, 5, 6 * 2 * 16 * 4, 2 * (2 + 2)),
        # both operands are read four times, a block of 16 by 16 tiles at a time
        (matmul(16384, 16384, 16384), WORMHOLE, 0, 4 * 32768, 2048 * 14, 0, 2 * 4 * 32768 * 8, 4 * (16 + 16)),
    ],
)
def test_products_read_and_sent_by_hand(
    work: Work, card: Card, sent: int, read: int, steps: int, rounds: int, tiles: int, fill: int
):
    """`sent` pages of shards, `read` pages of others, on the core with most; `tiles` read from DRAM; `fill` pages."""
    known, found = CONSTANTS[card.arch], price_work(work, card)
    page = known["product.page"] + known["product.byte"] * 2048
    send = known["product.send_page"] + known["product.send_byte"] * 2048
    alone = 1 in (divide(work, card).readers_a, divide(work, card).readers_b)
    chain = sent * send + read * page if alone else max(sent * send, read * page)
    waits = chain + steps * known["product.step"] + rounds * known["product.round"]
    assert found.together["NoC"] == pytest.approx(waits / card.clock_hz * known["product.stretch"])
    moved = tiles * 2048 / card.dram_bytes_per_second
    assert found.together["DRAM"] == pytest.approx(moved * known["product.dram"] * known["product.stretch"])
    assert found.serial["NoC"] == pytest.approx(known["product.fill"] * fill * page / card.clock_hz)


def test_products_grow_with_every_side_and_shrink_with_the_grid():
    sizes = [price_work(matmul(512 * by, 1024, 1024), WORMHOLE).seconds for by in (1, 2, 4, 8)]
    assert sizes == sorted(sizes)
    grids = [
        price_work(matmul(2048, 2048, 2048), Card("wormhole_b0", grid, 12)).seconds for grid in ((4, 4), (8, 4), (8, 8))
    ]
    assert grids == sorted(grids, reverse=True)
    types = [
        price_work(matmul(2048, 2048, 2048, dtype), WORMHOLE).seconds for dtype in (DType.bfp4, DType.bfp8, DType.bf16)
    ]
    assert types == sorted(types)


def test_an_estimate_adds_what_follows_and_joins_what_runs_together():
    found = Estimate({"start": 1.0, "DRAM": 2.0}, {"NoC": 4.0, "matrix engine": 4.0, "DRAM": 0.0}, order=2)
    assert found.seconds == pytest.approx(3 + 32**0.5)
    assert found.attributed() == {"start": 1.0, "DRAM": 2.0, "NoC": pytest.approx(32**0.5)}
    assert found.bound == "NoC"
    assert Estimate({}, {"NoC": 0.0}).seconds == 0
