from dataclasses import replace

import pytest

from tests.calls.programs import BF16, F32, I32, ROWS, TILED, assert_as_predicted, one, spec, values
from tests.cards import EACH_CARD
from ttc.calls.concat import Concat
from ttc.calls.pad import Pad
from ttc.calls.shape import Permute, Reshape, Slice
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, L1


@pytest.mark.parametrize(
    ("before", "after", "layout", "view"),
    [
        ((1, 197, 768), (197, 768), TILED, True),
        ((1, 197, 768), (1, 1, 197, 768), TILED, True),
        ((2, 64, 96), (4, 32, 96), TILED, True),
        ((1, 1), (), TILED, True),
        ((4,), (1, 4), TILED, True),
        ((2, 33, 96), (66, 96), TILED, False),
        ((1, 197, 768), (197, 1, 768), TILED, False),
        ((1, 197, 768), (1, 197, 12, 64), TILED, False),
        ((2, 33, 96), (66, 96), ROWS, True),
        ((2, 33, 96), (33, 192), ROWS, False),
    ],
)
def test_a_reshape_is_a_view_where_rows_stay_in_their_tiles(before, after, layout, view: bool):
    (x,) = values(spec(BF16, *before, layout=layout))
    call = Reshape(x, after)
    assert call.alias() is (x if view else None)
    assert call.infer() == spec(BF16, *after, layout=layout)
    assert (call.workspace(TARGETS["n150"]).circular_buffers == 0) is view


def test_a_reshape_to_another_memory_copies():
    (x,) = values(spec(BF16, 1, 32, 32))
    assert Reshape(x, (32, 32), memory_config=L1).alias() is None
    assert Reshape(x, (32, 32), memory_config=DRAM).alias() is x


def test_zeros_within_the_last_tiles_are_padded_in_place():
    (x,) = values(replace(spec(BF16, 1, 40, 40), memory=L1))
    call = Pad(x, ((0, 0), (0, 3), (0, 20)), 0.0)
    assert call.alias() is x
    assert call.infer() == replace(spec(BF16, 1, 43, 60), memory=L1)
    assert Pad(x, ((0, 0), (0, 30), (0, 0)), 0.0).alias() is None
    with pytest.raises(Refusal, match="stays in the operand's memory"):
        replace(call, memory_config=DRAM).infer()


def test_a_concatenation_goes_to_dram_unless_stated():
    x, y = values(*2 * [replace(spec(BF16, 2, 32, 32), memory=L1)])
    assert Concat((x, y), 0).infer() == spec(BF16, 4, 32, 32)
    assert Concat((x, y), 0, memory_config=L1).infer().memory == L1


def test_only_whole_tiles_move_in_tile_layout():
    x, y = values(spec(BF16, 2, 40, 64), spec(I32, 2, 40, 40))
    assert Slice(x, (0, 32, 32), (2, 39, 64), (1, 1, 1)).flexible
    assert not Slice(x, (0, 1, 0), (2, 39, 64), (1, 1, 1)).flexible
    assert Concat((x, x), 2).flexible
    assert Permute(x, (2, 1, 0)).flexible
    assert not Concat((x, x), 1).flexible
    with pytest.raises(Refusal, match="slices whole tiles only"):
        Slice(x, (0, 0, 0), (2, 40, 64), (1, 1, 2)).infer()
    with pytest.raises(Refusal, match="concatenates whole tiles only"):
        Concat((x, x), 1).infer()
    with pytest.raises(Refusal, match="concatenates whole tiles only"):
        Concat((y, y), 2).infer()


def test_floats_are_joined_within_tiles_along_rows():
    (x,) = values(spec(F32, 2, 40, 40))
    assert Concat((x, x), 2).infer() == spec(F32, 2, 40, 80)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, i, r: Reshape(x, (5,)), r"cannot reshape \[2, 33\] to \[5\]"),
        (lambda x, i, r: Permute(x, (0, 0)), r"dims \[0, 0\] do not permute"),
        (
            lambda x, i, r: Slice(x, (0, 0), (2, 34), (1, 1)),
            "the slice 0:34:1 is empty or out of range for 33 elements",
        ),
        (lambda x, i, r: Slice(r, (0, 4), (2, 4), (1, 1)), "the slice 4:4:1 is empty"),
        (lambda x, i, r: Concat((x, r), 0), "operands are in different layouts"),
        (lambda x, i, r: Concat((x, i), 0), "concat takes one dtype, got bf16 and i32"),
        (lambda x, i, r: Pad(x, ((0, 0), (1, 0)), 0.0), "pad adds at the end only"),
        (lambda x, i, r: Pad(x, ((0, 0), (0, 1)), 1.0), "pads with 0 only"),
        (lambda x, i, r: Pad(x, ((0, 1),), 0.0), "1 pairs do not pad"),
    ],
)
def test_refusals_name_the_culprit(make, message: str):
    with pytest.raises(Refusal, match=message):
        make(*values(spec(BF16, 2, 33), spec(I32, 2, 33), spec(BF16, 2, 33, layout=ROWS))).infer()


@pytest.mark.parametrize("target", EACH_CARD)
def test_real_ttnn_moves_as_predicted(target: str, ttnn_python: str):
    programs = []
    for dtype in (BF16, F32, I32):
        zero = 0 if dtype is I32 else 0.0
        for layout in (TILED, ROWS):
            for width in (1, 40, 197, 768, 4096):
                x = spec(dtype, 2, 64, width, layout=layout)
                programs += [
                    one(lambda x, w=width: Reshape(x, (8, 16, w)), x),
                    one(lambda x, w=width: Reshape(x, (2, 16, 4 * w)), x),
                    one(lambda x: Permute(x, (0, 2, 1)), x),
                    one(lambda x: Permute(x, (2, 0, 1)), x),
                    one(lambda x, w=width: Slice(x, (0, 32, 0), (2, 50, w), (1, 1, 1)), x),
                    one(lambda x, y: Concat((x, y), 1), x, x),
                    one(lambda x, z=zero: Pad(x, ((0, 1), (0, 3), (0, 2)), z), x),
                ]
                if layout is ROWS:
                    programs += [
                        one(lambda x, w=width: Slice(x, (0, 1, w // 3), (2, 50, w), (1, 2, 1)), x),
                        one(lambda x, z=zero: Pad(x, ((1, 0), (2, 3), (3, 2)), z + 1), x),
                    ]
                if width <= 768 and (layout is ROWS or dtype is not I32 or width % 32 == 0):
                    programs.append(one(lambda x, y: Concat((x, y), 2), x, x))
    assert_as_predicted(programs, target)
