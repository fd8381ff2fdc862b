"""Convolution calls: the specs of prepared weights as the real library gives them, refusals, L1 bounds."""

from dataclasses import fields, replace

import pytest

from ttc.calls.conv import Conv2d, PrepareConvWeights
from ttc.calls.conv_bytes import sharded_bytes
from ttc.calls.convolution import Conv2dConfig, Convolution, CoreRectangle
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, SliceType
from ttc.calls.spelling import spelled, text
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DRAM, HOST, Const, DType, Layout, Sharding, Spec, Value

HEIGHT = Conv2dConfig(config_tensors_in_dram=True, shard_layout=Sharding.HEIGHT_SHARDED)


def blocks(target: str) -> Conv2dConfig:
    return Conv2dConfig(shard_layout=Sharding.BLOCK_SHARDED, core_grid=CoreRectangle(*TARGETS[target].grid))


def value(shape: tuple[int, ...], layout=Layout.TILE, memory=DRAM, dtype=DType.bf16, padded=()) -> Value:
    spec = Spec(dtype, shape, layout, memory, padded)
    return Value(Const(spec, "w"), spec, "w")


def prepared(channels, out, size, kernel, config, stride=(1, 1), padding=(0, 0, 0, 0), groups=1, slices=WHOLE):
    return PrepareConvWeights(
        in_channels=channels,
        out_channels=out,
        batch_size=1,
        input_height=size[0],
        input_width=size[1],
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        dilation=(1, 1),
        groups=groups,
        conv_config=config,
        weight_tensor=value((out, channels // groups, *kernel), Layout.ROW_MAJOR, HOST),
        input_memory_config=DRAM,
        input_layout=Layout.TILE,
        weights_format="OIHW",
        has_bias=False,
        input_dtype=DType.bf16,
        slice_config=slices,
    )


@pytest.mark.parametrize(
    ("call", "padded"),
    [
        (prepared(3, 64, (224, 224), (7, 7), HEIGHT), (1568, 64)),
        (prepared(272, 272, (28, 28), (3, 3), HEIGHT, groups=272), (2592, 288)),
        (prepared(272, 272, (28, 28), (3, 3), blocks("n150"), groups=272), (2880, 320)),
        (prepared(1024, 2048, (14, 14), (1, 1), blocks("p150"), stride=(2, 2)), (1056, 2112)),
        (prepared(272, 288, (256, 256), (3, 3), blocks("n150"), slices=None), (2688, 320)),
        (prepared(512, 512, (128, 128), (3, 3), blocks("p150"), slices=None), (5280, 512)),
        (prepared(3, 96, (64, 64), (4, 4), Conv2dConfig(enable_kernel_stride_folding=True)), (64, 96)),
    ],
)
def test_prepared_weights_are_stored_as_ttnn_stores_them(call, padded):
    spec = call.infer()
    assert spec.shape == (1, 1, call.taps * call.in_channels, call.out_channels)
    assert spec.padded_shape == (1, 1, *padded)


@pytest.mark.parametrize(
    ("call", "dtype", "target", "measured"),
    [
        (prepared(64, 64, (224, 224), (3, 3), HEIGHT, padding=(1, 1, 1, 1)), DType.bf16, "n150", 1_111_904),
        (prepared(512, 512, (14, 14), (3, 3), blocks("n150"), padding=(1, 1, 1, 1)), DType.bf16, "n150", 74_836),
        (prepared(272, 272, (14, 14), (3, 3), HEIGHT, padding=(1, 1, 1, 1)), DType.f32, "p150", 1_373_268),
        (prepared(3, 64, (224, 224), (7, 7), HEIGHT, (2, 2), (3, 3, 3, 3)), DType.bf16, "n150", 451_988),
    ],
)
def test_l1_bound_is_above_what_the_library_took_and_not_far(call, dtype, target, measured):
    stated = replace(call, conv_config=replace(call.conv_config, weights_dtype=dtype))
    assert measured <= sharded_bytes(stated, dtype, TARGETS[target]) <= 1.5 * measured


def test_weights_in_blocks_take_the_less_l1():
    """Nine taps of 256 x 256 weights that several blocks keep: 2 bytes each in bf16, 17/16 in bfp8."""
    config = replace(HEIGHT, act_block_h_override=32)
    call = prepared(256, 256, (56, 56), (3, 3), config, padding=(1, 1, 1, 1))
    bf16, bfp8 = (
        sharded_bytes(replace(call, conv_config=replace(config, weights_dtype=dtype)), DType.bf16, TARGETS["n150"])
        for dtype in (DType.bf16, DType.bfp8)
    )
    assert bf16 - bfp8 == pytest.approx(1.05 * 9 * 256 * 256 * 15 / 16, abs=1)


def conv(**changes) -> Conv2d:
    prepare = prepared(3, 64, (8, 8), (3, 3), HEIGHT)
    shared = {field.name: getattr(prepare, field.name) for field in fields(Convolution)}
    spec = prepare.infer()
    weight = value(spec.shape, padded=spec.padded)
    call = Conv2d(input_tensor=value((1, 1, 64, 3)), **shared, weight_tensor=weight, memory_config=DRAM)
    return replace(call, **changes)


def test_result():
    assert conv().infer() == Spec(DType.bf16, (1, 1, 36, 64))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"memory_config": None}, "must state its result's memory"),
        ({"input_tensor": value((1, 1, 60, 3))}, r"input_tensor must be \[1, 1, 64, 3\]"),
        ({"input_tensor": value((1, 1, 64, 3), Layout.ROW_MAJOR)}, "ROW_MAJOR"),
        ({"weight_tensor": value((1, 1, 27, 64))}, "a weight is prepared as"),
        ({"conv_config": Conv2dConfig()}, "must state height shards"),
    ],
)
def test_refusals(changes, words):
    with pytest.raises(Refusal, match=words):
        conv(**changes).infer()


@pytest.mark.parametrize(
    ("channels", "columns", "programs"),
    [
        (64, 8, (10, 0)),
        (56, 8, (14, 2)),  # 8 channels for each of 7 columns
        (65, 8, (14, 2)),  # 16 for each of 5
        (176, 11, (10, 0)),
        (192, 11, (14, 2)),  # 24 for each of 8
    ],
)
def test_slices_are_resharded_where_core_columns_have_no_channels(channels, columns, programs):
    in_blocks = replace(blocks("n150"), core_grid=CoreRectangle(columns, 8))
    across = Op2DSliceConfig(SliceType.DRAMSliceWidth, 2)

    def counts(config: Conv2dConfig, slices: Op2DSliceConfig) -> tuple[int, int]:
        prepare = prepared(channels, 64, (64, 64), (3, 3), config, padding=(1, 1, 1, 1), slices=slices)
        spec = prepare.infer()
        same = {field.name: getattr(prepare, field.name) for field in fields(Convolution)}
        x, weight = value((1, 1, 4096, channels)), value(spec.shape, padded=spec.padded)
        call = Conv2d(input_tensor=x, weight_tensor=weight, memory_config=DRAM, slice_config=slices, **same)
        found = call.dispatch(TARGETS["n150"])
        return found.programs, found.conversions

    assert counts(in_blocks, across) == programs
    assert counts(in_blocks, WHOLE) == (5, 2)
    assert counts(HEIGHT, across) == (10, 0)


def test_weights_are_prepared_on_the_host():
    call = replace(prepared(3, 64, (8, 8), (3, 3), HEIGHT), weight_tensor=value((64, 3, 3, 3)))
    with pytest.raises(Refusal, match="accepted is ROW_MAJOR"):
        call.infer()


def test_spelling():
    assert text(spelled(WHOLE)) == "ttnn.Op2DSliceConfig(slice_type=ttnn.Op2DSliceConfig.SliceTypeEnum.L1Full)"
    assert text(spelled(HEIGHT)) == (
        "ttnn.Conv2dConfig(config_tensors_in_dram=True, shard_layout=ttnn.TensorMemoryLayout.HEIGHT_SHARDED)"
    )
    assert "core_grid=ttnn.CoreRangeSet([" in text(spelled(blocks("n150")))
