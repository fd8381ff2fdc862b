from dataclasses import replace

import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.layout import ToLayout, ToMemoryConfig, Typecast
from ttc.calls.target import L1_SMALL_BYTES, TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, TILE, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec

SHARDED = MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED, ShardSpec((8, 8), (64, 64)))


def test_block_formats_stay_in_tiles():
    (x,) = values(spec(DType.bfp8, 2, 33))
    with pytest.raises(Refusal, match="bfp8 exists in TILE layout only"):
        ToLayout(x, ROWS).infer()
    (x,) = values(spec(BF16, 2, 33, layout=ROWS))
    with pytest.raises(Refusal, match="block formats exist in TILE layout only"):
        Typecast(x, DType.bfp8).infer()


def test_bytes_cannot_be_tilized():
    (x,) = values(spec(DType.u8, 2, 33, layout=ROWS))
    with pytest.raises(Refusal, match="u8 cannot be brought into TILE layout on the device"):
        ToLayout(x, TILED).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_converts_as_predicted(target: str, ttnn_python: str):
    shapes = [(), (7,), (2, 33, 65), (1, 197, 768), (2, 3, 4, 5, 6, 7), (1, 3, 224, 224), (1, 33, 50257), (4096, 4096)]
    programs = [
        one(lambda x, to=to: ToLayout(x, to), spec(dtype, *shape, layout=ROWS if to is TILED else TILED))
        for dtype in (BF16, F32, I32)
        for shape in shapes
        for to in (TILED, ROWS)
    ]
    programs += [
        one(lambda x, to=to: Typecast(x, to), spec(dtype, 2, 33, 65, layout=layout))
        for dtype in (BF16, F32, I32, DType.u32, DType.u16)
        for to in (BF16, F32, I32, DType.u32, DType.u16)
        if to is not dtype
        for layout in (TILED, ROWS)
    ]
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_converts_in_l1_as_much_as_it_is_said_to(target: str, ttnn_python: str):
    """The tallest that fits by `workspace`, beside its operand and its result."""
    card = TARGETS[target]
    room = card.l1_bytes - L1_SMALL_BYTES

    def tallest(to: Layout, width: int, memory: MemoryConfig) -> Spec:
        rows = TILE
        while True:
            x = spec(F32, 1, 1, rows, width, layout=ROWS if to is TILED else TILED, memory=memory)
            buffers = rows * width * 4 // card.cores * (2 if memory == L1 else 1)
            if buffers + ToLayout(*values(x), to, memory_config=L1).workspace(card).circular_buffers > room:
                return replace(x, shape=(1, 1, rows - TILE * card.cores, width))
            rows += TILE * card.cores

    programs = [
        one(lambda x, to=to: ToLayout(x, to, memory_config=L1), tallest(to, width, memory))
        for to in (ROWS, TILED)
        for width in (32, 64, 128, 256, 1024)
        for memory in (DRAM, L1)
    ]
    assert all(program.call.infer().shape[2] > 4000 for program in programs)
    assert_as_predicted(programs, target)


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_moves_as_predicted(target: str, ttnn_python: str):
    shape = (1, 1, 4096, 64)
    programs = [
        one(lambda x, to=to: ToMemoryConfig(x, to), spec(dtype, *shape, layout=layout, memory=memory))
        for dtype in (BF16, F32)
        for layout in (TILED, ROWS)
        for memory, to in ((DRAM, L1), (L1, DRAM), (DRAM, SHARDED), (SHARDED, DRAM), (SHARDED, L1))
    ]
    programs += [
        one(lambda x, to=to, k=k: ToLayout(x, to, **k), spec(BF16, *shape, layout=layout, memory=memory))
        for layout, to in ((TILED, ROWS), (ROWS, TILED))
        for memory in (DRAM, L1, SHARDED)
        for k in ({}, {"memory_config": DRAM}, {"memory_config": L1})
    ]
    assert_as_predicted(programs, target)
