"""The device programs and conversions of calls, at the edges of each rule: as predicted, and as the library counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, One, one, spec
from tests.mock_cards import check_many
from ttc.calls.attention import FillImplicitTilePadding, ScaledDotProductAttention
from ttc.calls.binary import Add, Div, Pow
from ttc.calls.call import Call, CoreGrid
from ttc.calls.concat import Concat
from ttc.calls.layout import ToLayout, ToMemoryConfig, Typecast
from ttc.calls.matmul import Linear, Matmul
from ttc.calls.pad import Pad
from ttc.calls.pool import AvgPool2d, MaxPool2d
from ttc.calls.reduce import Argmax, Max, Mean, Min, Prod, Sum, Topk
from ttc.calls.repeat import Expand, Repeat
from ttc.calls.scan import Cumprod, Cumsum
from ttc.calls.shape import Permute, Reshape, Slice
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, SliceType
from ttc.calls.target import TARGETS
from ttc.ir import L1, DType, Layout, MemoryConfig, Sharding, Spec, Value

Make = Callable[..., Call]
Row = tuple[Make, tuple[Spec, ...], tuple[int, int]]


def b(*shape: int, **where) -> Spec:
    return spec(BF16, *shape, **where)


def f(*shape: int, **where) -> Spec:
    return spec(F32, *shape, **where)


def reductions() -> list[Row]:
    return [
        (lambda x: Sum(x, (1,), True), (b(64, 64),), (1, 0)),
        (lambda x: Sum(x, (1,), True), (b(64, 65),), (2, 0)),  # padding is filled
        (lambda x: Max(x, (0,), True), (b(64),), (2, 0)),  # a vector is one row of a tile
        (lambda x: Max(x, (1,)), (b(64, 64),), (2, 0)),  # the squeeze moves elements
        (lambda x: Max(x, (1,)), (b(1, 1, 64),), (2, 0)),
        (lambda x: Sum(x, (1,), True), (b(1, 640, 32 * 32),), (2, 0)),  # tall columns, for half of the cores
        (lambda x: Sum(x, (1,), True), (b(1, 608, 32 * 32),), (1, 0)),
        (lambda x: Sum(x, (1,), True), (b(1, 640, 33 * 32),), (1, 0)),
        (lambda x: Sum(x, (1,), True), (b(2, 640, 16 * 32),), (2, 0)),
        (lambda x: Sum(x, (1,), True), (b(2, 640, 17 * 32),), (1, 0)),
        (lambda x: Max(x, (1, 2), True), (b(1, 640, 64),), (2, 0)),
        (lambda x: Max(x, (1, 2), True), (b(1, 32, 32),), (1, 0)),  # one tile, both ways at once
        (lambda x: Mean(x, (0, 1)), (b(3, 2),), (2, 0)),
        (lambda x: Sum(x, (2, 3), True), (b(1, 1, 3, 2),), (2, 0)),
        (lambda x: Sum(x, (0, 1, 2), True), (b(2, 32, 32),), (2, 0)),  # one tile is left by the outer dimension
        (lambda x: Sum(x, (0, 1, 2), True), (b(2, 32, 64),), (3, 0)),
        (lambda x: Sum(x, (0, 1, 2), True), (f(2, 32, 32),), (5, 0)),
        (lambda x: Mean(x, (0, 1, 2), True), (b(2, 32, 32),), (5, 0)),
        (lambda x: Sum(x, (0, 2, 3), True), (b(2, 1, 32, 32),), (3, 0)),  # not of all dimensions
        (lambda x: Sum(x, (0, 1, 2, 3), True), (b(1, 1, 32, 32),), (3, 0)),
        (lambda x: Min(x, (1, 2), True), (b(1, 32, 32),), (2, 0)),  # two programs for one tile
        (lambda x: Min(x, (0, 1)), (b(2, 8),), (3, 0)),
        (lambda x: Sum(x, (1, 2), True), (b(1, 32, 33),), (3, 0)),
        (lambda x: Sum(x, (1, 2), True), (b(2, 32, 32),), (2, 0)),
        (lambda x: Sum(x, (1, 2), True), (f(1, 32, 32),), (2, 0)),
        (lambda x: Sum(x, (1,), True), (b(1, 32, 32),), (1, 0)),
        (lambda x: Sum(x, (1, 2, 3), True), (b(1, 2, 32, 32),), (3, 0)),
        (lambda x: Sum(x, (0,)), (b(3, 64, 64),), (1, 0)),
        (lambda x: Sum(x, (0,)), (b(3, 64, 65),), (3, 0)),  # what was filled is sliced off
        (lambda x: Sum(x, (0,)), (f(3, 64, 64),), (3, 0)),  # permuted there and back
        (lambda x: Mean(x, (0, 2), True), (b(3, 64, 65),), (5, 0)),
        (lambda x: Sum(x, (0, 1), True), (b(2, 3, 64, 64),), (2, 0)),
        (lambda x: Sum(x, (2, 3), True), (b(2, 3, 64, 64),), (2, 0)),
        (lambda x: Prod(x, 0), (b(64),), (2, 0)),
        (lambda x: Prod(x, 3, True), (b(2, 3, 64, 64),), (4, 0)),
        (lambda x: Prod(x, 2, True), (b(2, 3, 64, 64),), (3, 0)),
        (lambda x: Prod(x, 1, True), (b(2, 3, 64, 64),), (1, 0)),
        (lambda x: Prod(x, 4, True), (b(2, 2, 2, 64, 64),), (3, 0)),
        (lambda x: Prod(x, 0, True), (b(2, 2, 2, 64, 64),), (3, 0)),
        (lambda x: Prod(x, 2, True), (b(2, 2, 2, 64, 64),), (1, 0)),
        (lambda x: Argmax(x, 1), (b(2, 64, 64),), (1, 0)),
        (lambda x: Argmax(x, 0), (b(2, 64, 64),), (2, 1)),
        (lambda x: Cumsum(x, 1), (b(2, 64, 64),), (1, 0)),
        (lambda x: Cumsum(x, 1), (f(2, 64, 64),), (3, 0)),
        (lambda x: Cumsum(x, 0), (b(2, 64, 64),), (3, 0)),
        (lambda x: Cumsum(x, 0), (f(2, 3, 64, 64),), (1, 0)),
        (lambda x: Cumsum(x, 0), (spec(I32, 2, 3, 64, 64),), (1, 0)),
        (lambda x: Cumsum(x, 0), (f(1, 5, 7),), (1, 0)),  # a permute of one matrix is none
        (lambda x: Cumsum(x, 2), (f(1, 1, 1, 5, 7),), (1, 0)),
        (lambda x: Cumsum(x, 2), (b(1, 1, 1, 5, 7),), (1, 0)),
        (lambda x: Cumsum(x, 2), (f(1, 2, 1, 5, 7),), (1, 0)),
        (lambda x: Cumsum(x, 2), (f(2, 1, 1, 5, 7),), (3, 0)),
        (lambda x: Cumsum(x, 2), (f(1, 1, 2, 5, 7),), (3, 0)),
        (lambda x: Cumsum(x, 3), (f(1, 2, 3, 1, 5, 7),), (1, 0)),
        (lambda x: Cumsum(x, 0), (f(1, 1),), (3, 0)),
        (lambda x: Cumprod(x, 0), (f(1, 5, 7),), (1, 0)),
        (lambda x: Cumprod(x, 2), (b(2, 64, 64),), (3, 0)),
    ]


def choices() -> list[Row]:
    return [
        (lambda x: Topk(x, 2, 3, stable=True), (b(2, 3, 64, 64),), (1, 0)),
        (lambda x: Topk(x, 2, 2, stable=True), (b(3, 64, 64),), (3, 0)),  # both results are sliced
        (lambda x: Topk(x, 32, 2, stable=True), (b(3, 64, 64),), (1, 0)),
        (lambda x: Topk(x, 2, 2, stable=True), (b(2, 64, 65),), (4, 0)),
        (lambda x: Topk(x, 2, 2, stable=True), (b(2, 64, 33),), (4, 0)),  # padded to 64 within the last tiles
        (lambda x: Topk(x, 2, 2, stable=True), (b(2, 33, 33),), (5, 0)),
        (lambda x: Topk(x, 2, 0, stable=True), (b(3, 64, 64),), (8, 0)),  # permuted, and padded to 64
    ]


def joins() -> list[Row]:
    def joined(*xs: Value) -> Concat:
        return Concat(xs, xs[0].type.rank - 1)

    def rows(*shape: int, memory: MemoryConfig = L1) -> Spec:
        return b(*shape, layout=ROWS, memory=memory)

    def first(*xs: Value) -> Concat:
        return Concat(xs, 0)

    return [
        (first, (b(32, 64),) * 47, (1, 0)),
        (first, (b(32, 64),) * 48, (2, 0)),
        (first, (b(32, 64),) * 49, (3, 0)),
        (first, (b(32, 64),) * 95, (3, 0)),
        (joined, (b(40, 33), b(40, 31)), (1, 0)),  # floats are joined inside tiles
        (joined, (b(2, 8),) * 32, (1, 0)),
        (joined, (b(40, 1024), b(40, 64), b(40, 1), b(40, 1)), (1, 0)),
        (joined, (b(40, 2016), b(40, 5)), (1, 0)),  # 64 tiles of bf16
        (joined, (spec(F32, 40, 992), spec(F32, 40, 5)), (1, 0)),
        (joined, (b(64), b(32)), (4, 3)),
        (joined, (b(3), b(5)), (7, 3)),
        (joined, (rows(2, 8), rows(2, 8)), (1, 0)),  # 16 bytes are aligned in L1
        (joined, (rows(2, 4), rows(2, 8)), (4, 0)),
        (joined, (rows(1), rows(1)), (2, 0)),  # single elements are columns already
        (joined, (rows(2, 3, 1, 1), rows(2, 3, 1, 1)), (2, 0)),
        (joined, (rows(1, 2, 3, 1, 1), rows(1, 2, 3, 1, 1)), (4, 0)),  # but of rank 5 they are permuted
        (joined, tuple(b(2, 8, layout=ROWS) for _ in range(2)), (4, 0)),
        (joined, tuple(b(2, 32, layout=ROWS) for _ in range(2)), (1, 0)),
        (first, tuple(b(2, 8, layout=ROWS) for _ in range(2)), (1, 0)),
    ]


def movements() -> list[Row]:
    there = MemoryConfig()
    return [
        (lambda x: Slice(x, (32,), (64,)), (b(96),), (3, 2)),  # a vector in tiles
        (lambda x: Slice(x, (0, 32), (1, 64)), (b(1, 96),), (1, 0)),
        (lambda x: Slice(x, (0, 0), (1, 8)), (b(1, 8, layout=ROWS),), (0, 0)),
        (lambda x: Slice(x, (0, 0), (1, 8), (2, 1)), (b(1, 8, layout=ROWS),), (1, 0)),  # a step runs, needed or not
        (lambda x: Reshape(x, (2, 32, 64)), (b(64, 64),), (0, 0)),
        (lambda x: Reshape(x, (2, 33, 64)), (b(66, 64),), (1, 0)),
        (lambda x: Permute(x, (2, 1, 0, 3)), (b(1, 3, 1, 64, layout=ROWS),), (0, 0)),  # single elements change places
        (lambda x: Permute(x, (2, 1, 0, 3), memory_config=L1), (b(1, 3, 1, 64, layout=ROWS),), (1, 1)),
        (lambda x: Permute(x, (2, 1, 0, 3)), (b(1, 3, 1, 64),), (1, 0)),
        (lambda x: Permute(x, (1, 0, 2, 3)), (b(1, 3, 1, 64),), (1, 0)),
        (lambda x: Slice(x, (0, 0), (64, 64), memory_config=L1), (b(64, 64),), (1, 1)),
        (lambda x: Slice(x, (0, 0), (32, 64)), (b(64, 64),), (1, 0)),
        (lambda x: Pad(x, ((0, 0), (0, 1)), 0.0), (b(32, 33),), (1, 0)),  # within the last tiles
        (lambda x: Pad(x, ((0, 0), (0, 32)), 0.0), (b(32, 33),), (2, 0)),
        (lambda x: Pad(x, ((0, 0), (0, 32)), 0.0), (b(32, 32),), (1, 0)),
        (lambda x: Pad(x, ((0, 1), (0, 0), (0, 0)), 0.0), (b(2, 32, 32),), (1, 0)),
        (lambda x: Pad(x, ((0, 1), *((0, 0),) * 4), 0.0, memory_config=L1), (b(2, 2, 2, 32, 32),), (2, 1)),
        (lambda x: Pad(x, ((0, 0), (0, 1), *((0, 0),) * 3), 0.0, memory_config=L1), (b(2, 2, 2, 32, 32),), (2, 1)),
        (
            lambda x: Pad(x, (*((0, 0),) * 2, (0, 1), *((0, 0),) * 2), 0.0, memory_config=L1),
            (b(2, 2, 2, 32, 32),),
            (1, 0),
        ),
        (lambda x: Pad(x, ((0, 1),) * 5, 0.0), (b(2, 2, 2, 32, 32, layout=ROWS),), (3, 0)),  # two outer, three at once
        (lambda x: Pad(x, ((0, 1), (0, 1), *((0, 0),) * 3), 0.0, memory_config=L1), (b(2, 2, 2, 33, 32),), (5, 1)),
        (lambda x: Pad(x, ((0, 1), *((0, 0),) * 3, (0, 32)), 0.0, memory_config=L1), (b(2, 2, 2, 33, 32),), (4, 0)),
        (lambda x: Pad(x, ((0, 1),) * 4, 0.0), (b(2, 2, 32, 32, layout=ROWS),), (1, 0)),
        (lambda x: Pad(x, ((0, 1), *((0, 0),) * 3), 0.0, memory_config=L1), (b(2, 2, 32, 32),), (1, 0)),
        (lambda x: Expand(x, (1, 64, 64)), (b(64, 64),), (0, 0)),
        (lambda x: Expand(x, (2, 3, 64, 64)), (b(64, 64),), (1, 0)),  # two dimensions of one element join
        (lambda x: Expand(x, (2, 1, 3, 64)), (b(1, 1, 1, 64, layout=ROWS),), (2, 0)),
        (lambda x: Repeat(x, (2, 3, 1, 1)), (b(2, 1, 64, 64),), (2, 0)),
        (lambda x: Repeat(x, (1, 2, 3)), (b(1, 33, 40, layout=ROWS),), (2, 0)),
        (lambda x: Repeat(x, (2, 2, 1, 1, 1)), (b(1, 1, 2, 64, 64),), (2, 0)),
        (lambda x: Repeat(x, (2, 1, 1, 1, 1)), (b(1, 1, 2, 33, 64),), (3, 2)),
        (lambda x: FillImplicitTilePadding(x, 1.0), (b(33, 64),), (1, 0)),
        (lambda x: FillImplicitTilePadding(x, 1.0), (b(64, 64),), (0, 0)),
        (lambda x: ToLayout(x, Layout.ROW_MAJOR), (b(33, 64),), (1, 1)),
        (lambda x: Typecast(x, DType.f32), (b(33, 64),), (1, 1)),
        (lambda x: ToMemoryConfig(x, there), (b(33, 64, memory=L1),), (1, 1)),
        (lambda x: ToMemoryConfig(x, there), (b(33, 64),), (0, 0)),
    ]


def arithmetic() -> list[Row]:
    grid = CoreGrid(8, 8)
    square, small, wide, bias = b(64, 64), b(64, 256), b(64, 257), b(64)
    q, mask = b(1, 2, 64, 32), b(1, 1, 64, 64)

    def attended(**how) -> Make:
        return lambda q, m: ScaledDotProductAttention(q, q, q, attn_mask=m, is_causal=False, **how)

    return [
        (lambda x: Div(x, 4.0, rounding_mode="floor"), (b(33, 64),), (2, 0)),
        (lambda x: Div(x, 4, rounding_mode="floor"), (spec(I32, 33, 64),), (1, 0)),
        (lambda x: Div(x, 4.0), (b(33, 64),), (1, 0)),
        (lambda x: Pow(x, 1.0), (b(33, 64),), (1, 1)),
        (lambda x: Pow(x, 2.0), (b(33, 64),), (1, 0)),
        (lambda x, y, z: Add(x, y, output_tensor=z), (square, square, square), (1, 0)),
        (lambda x, w: Linear(x, w, activation="gelu"), (square, square), (2, 0)),
        (lambda x, w: Linear(x, w, activation="gelu", core_grid=grid), (square, square), (1, 0)),
        (lambda x, w, c: Linear(x, w, bias=c), (square, square, bias), (1, 0)),
        (lambda x, w, c: Linear(x, w, bias=c, memory_config=L1), (square, square, bias), (2, 0)),
        (lambda x, w, c: Linear(x, w, bias=c, memory_config=L1, core_grid=grid), (square, square, bias), (1, 0)),
        (lambda x, y: Matmul(x, y, transpose_b=True), (square, square), (1, 0)),
        (lambda x, y: Matmul(x, y, transpose_b=True, memory_config=L1), (square, square), (2, 0)),
        (lambda x, y: Matmul(x, y, transpose_a=True, transpose_b=True, memory_config=L1), (square, square), (3, 0)),
        (lambda x, y: Matmul(x, y, transpose_a=True, memory_config=L1), (square, small), (2, 0)),
        (lambda x, y: Matmul(x, y, transpose_a=True, memory_config=L1), (square, wide), (1, 0)),
        (lambda x, y: Matmul(x, y, transpose_a=True, memory_config=L1), (wide, square), (1, 0)),
        (attended(), (q, mask), (2, 0)),
        (attended(scale=1.0), (q, mask), (1, 0)),
    ]


def pools() -> list[Row]:
    def pool(height: int, width: int, slices: Op2DSliceConfig, moved: bool) -> Make:
        window = ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1), False)
        return lambda x: MaxPool2d(
            x,
            1,
            height,
            width,
            32,
            *window,
            memory_config=MemoryConfig(),
            dram_slice_config=slices,
            applied_shard_scheme=Sharding.HEIGHT_SHARDED,
            reallocate_halo_output=moved,
            output_layout=Layout.TILE,
            config_tensor_in_dram=True,
        )

    def average(x: Value) -> AvgPool2d:
        return AvgPool2d(
            x,
            16,
            7,
            7,
            x.shape[-1],
            *((7, 7), (7, 7), (0, 0, 0, 0)),
            memory_config=MemoryConfig(),
            dram_slice_config=WHOLE,
            applied_shard_scheme=Sharding.WIDTH_SHARDED,
            reallocate_halo_output=False,
            output_layout=Layout.TILE,
            config_tensor_in_dram=True,
        )

    across = Op2DSliceConfig(SliceType.DRAMSliceWidth, 2)
    return [
        (average, (b(1, 1, 784, 96),), (4, 2)),
        (average, (b(1, 1, 784, 2208, memory=L1),), (4, 2)),
        (pool(16, 16, WHOLE, False), (b(1, 1, 256, 32),), (4, 2)),
        (pool(16, 16, WHOLE, True), (b(1, 1, 256, 32),), (5, 2)),
        (pool(16, 16, WHOLE, True), (b(1, 1, 256, 32, memory=L1),), (4, 2)),
        (pool(32, 128, across, False), (b(1, 1, 4096, 32),), (10, 0)),
        (pool(32, 120, across, False), (b(1, 1, 3840, 32),), (11, 0)),  # lines that are no whole tiles are reshaped
    ]


TABLE = [*reductions(), *choices(), *joins(), *movements(), *arithmetic(), *pools()]
PROGRAMS: list[tuple[One, tuple[int, int]]] = [(one(make, *specs), counts) for make, specs, counts in TABLE]


@pytest.mark.parametrize(("program", "counts"), PROGRAMS, ids=lambda item: getattr(item, "text", ""))
def test_the_programs_and_conversions_of_a_call(program: One, counts: tuple[int, int]):
    found = program.call.dispatch(TARGETS["n150"])
    assert (found.programs, found.conversions) == counts


def test_rows_in_dram_are_aligned_as_the_card_has_it():
    call = one(lambda *xs: Concat(xs, 1), *[b(2, 16, layout=ROWS)] * 2).call
    assert [call.dispatch(TARGETS[name]).programs for name in ("n150", "p150")] == [1, 4]


@pytest.mark.parametrize("target", ["n150", "p150"])
def test_the_library_counts_as_many(target: str, ttnn_python: str):
    also = [one(lambda *xs: Concat(xs, 1), *[b(2, 16, layout=ROWS)] * 2)]
    programs = [*(program for program, _ in PROGRAMS), *also]
    reports = check_many([program.text for program in programs], TARGETS[target])
    faults = [f"{r.miscount or r.refusal}\n{p.text}" for p, r in zip(programs, reports, strict=True)]
    assert not [fault for fault in faults if not fault.startswith("None")], "\n".join(faults)
