"""Which calls convolutions become: text of the program for small ops."""

from dataclasses import replace
from math import prod

import pytest
import torch
from torch import nn

import ttc
from tests.cards import EACH_CARD
from tests.mock_cards import check_many
from ttc.backend import lower
from ttc.backend.rules.conv_plan import fits
from ttc.calls.call import spec_of
from ttc.calls.conv import Conv2d
from ttc.calls.convolution import Convolution
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, SliceType
from ttc.calls.target import TARGETS
from ttc.calls.window import shard_rows
from ttc.errors import Refused
from ttc.ir import TILE, DType, parse_graph

BLOCKS = (DType.bf16, DType.bfp8, DType.bfp4)
"""Dtypes of weights of a bf16 program."""

UNIT = "stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1]"


def calls(text: str, target: str = "n150", dtype: DType = DType.bf16) -> list:
    program = lower(parse_graph(f"graph {{\n{text}\n}}"), TARGETS[target], dtype, dtype)[0]
    return [node.op for node in program.nodes if node.op.mnemonic.startswith("ttnn.")]


def mnemonics(text: str, **options) -> list[str]:
    return [call.mnemonic.removeprefix("ttnn.") for call in calls(text, **options)]


def conv2d(x: str, w: str, rest: str, **options) -> Conv2d:
    text = f'%x: {x} = input(name="x")\n%w: {w} = const(ref="w")\n%y: {rest}\nreturn "y"=%y'
    (found,) = [call for call in calls(text, **options) if isinstance(call, Conv2d)]
    return found


def test_one_pixel_kernels_are_matrix_products():
    text = """
      %x: f32[1,1,64,32] = input(name="x")
      %w: f32[48,16,1,1] = const(ref="w")
      %y: f32[1,1,64,48] = conv(x=%x, w=%w, groups=2, rows=[1, 8, 8], UNIT)
      return "y"=%y"""
    no_padding = UNIT.replace("[1, 1], [1, 1]", "[0, 0], [0, 0]")
    assert mnemonics(text.replace("UNIT", no_padding)) == ["linear"]


def test_weights_are_prepared_by_calls_on_constants_alone():
    text = """
      %x: f32[1,1,64,32] = input(name="x")
      %w: f32[48,32,3,3] = const(ref="w")
      %b: f32[48] = const(ref="b")
      %y: f32[1,1,64,48] = conv(x=%x, w=%w, bias=%b, rows=[1, 8, 8], UNIT)
      return "y"=%y"""
    assert sorted(mnemonics(text.replace("UNIT", UNIT))) == ["conv2d", "prepare_conv_bias", "prepare_conv_weights"]


@pytest.mark.parametrize(("size", "channels", "layout"), [(112, 16, "HEIGHT_SHARDED"), (14, 512, "BLOCK_SHARDED")])
def test_many_pixels_lie_in_height_and_many_channels_in_blocks(size, channels, layout):
    rows = size * size
    call = conv2d(
        f"f32[1,1,{rows},{channels}]",
        f"f32[64,{channels},3,3]",
        f"f32[1,1,{rows},64] = conv(x=%x, w=%w, stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1], "
        f"rows=[1, {size}, {size}])",
    )
    assert call.conv_config.shard_layout.name == layout
    assert call.whole


def image(batch: int, height: int, width: int, channels: int, out: int) -> str:
    rows = batch * height * width
    return f"""
      %x: f32[1,1,{rows},{channels}] = input(name="x")
      %w: f32[{out},{channels},3,3] = const(ref="w")
      %b: f32[{out}] = const(ref="b")
      %y: f32[1,1,{rows},{out}] = conv(x=%x, w=%w, bias=%b, {UNIT}, rows=[{batch}, {height}, {width}])
      return "y"=%y"""


def line(length: int, channels: int) -> str:
    unit = "stride=[1], padding=[[1, 1]], dilation=[1]"
    return f"""
      %x: f32[1,1,{length},{channels}] = input(name="x")
      %w: f32[{channels},{channels},3] = const(ref="w")
      %b: f32[{channels}] = const(ref="b")
      %y: f32[1,1,{length},{channels}] = conv(x=%x, w=%w, bias=%b, {unit}, rows=[1, {length}])
      return "y"=%y"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (image(1, 512, 512, 128, 128), SliceType.DRAMSliceWidth),
        (image(1, 500, 480, 128, 128), SliceType.DRAMSliceHeight),
        (image(1, 500, 500, 128, 128), SliceType.DRAMSliceWidth),  # its lines are no whole tiles
        (image(8, 100, 100, 512, 512), SliceType.DRAMSliceWidth),
        (line(96_000, 256), SliceType.DRAMSliceWidth),
        (line(96_000, 272), SliceType.DRAMSliceWidth),
    ],
)
def test_what_l1_cannot_hold_is_cut_where_ttnn_is_right(text, kind):
    *prepared, call = [call for call in calls(text) if isinstance(call, Convolution)]
    slices = call.slices
    assert slices is not None
    assert slices.slice_type is kind
    assert slices.num_slices > 1
    assert call.conv_config.act_block_h_override > 0
    assert [part.slices for part in prepared] == [slices] * 2
    assert (call.input_height == 1) == (call.kernel_size[0] == 1)


@pytest.mark.parametrize(
    ("channels", "moved", "programs"),
    [(32, False, (4, 2)), (64, True, (5, 2))],
)
def test_a_halo_stays_where_it_is_if_that_fits(channels: int, moved: bool, programs: tuple[int, int]):
    (call,) = [call for call in calls(image(1, 224, 224, channels, 64)) if isinstance(call, Conv2d)]
    target = TARGETS["n150"]
    assert call.whole
    assert call.conv_config.reallocate_halo_output is moved
    assert (call.dispatch(target).programs, call.dispatch(target).conversions) == programs
    in_place = replace(call, conv_config=replace(call.conv_config, reallocate_halo_output=False))
    assert fits(in_place, DType.bf16, target) is not moved


def test_slices_are_as_few_as_fit():
    (call,) = [call for call in calls(image(1, 512, 512, 128, 128)) if isinstance(call, Conv2d)]
    assert call.slices is not None
    target, fewer = TARGETS["n150"], replace(call.slices, num_slices=call.slices.num_slices - 1)
    assert fits(call, DType.bf16, target)
    for rows in range(32, 1 << 13, 32):
        block = replace(call.conv_config, act_block_h_override=rows)
        assert not fits(replace(call, slice_config=fewer, conv_config=block), DType.bf16, target)


@pytest.mark.parametrize("weights", BLOCKS)
def test_slices_leave_room_for_weights_that_lose_their_block_format(weights: DType):
    target = TARGETS["p150"]  # two slices fit beside weights in bfp8 alone
    program = lower(parse_graph(f"graph {{{image(16, 56, 56, 256, 256)}\n}}"), target, DType.bf16, weights)[0]
    (call,) = [node.op for node in program.nodes if isinstance(node.op, Conv2d)]
    assert call.conv_config.weights_dtype is DType.bf16 or call.slices == WHOLE
    assert fits(call, DType.bf16, target)


@pytest.mark.parametrize(
    ("batch", "size", "channels", "block", "slices"),
    [
        (8, 28, 512, 0, WHOLE),
        (16, 28, 512, 224, WHOLE),  # 1568 rows of pixels a core, in 7 blocks
        (8, 60, 512, 480, Op2DSliceConfig(SliceType.DRAMSliceWidth, 2)),  # 113 tiles a core divide into blocks of one
        (16, 28, 1024, 32, WHOLE),  # lines this short have no slices
    ],
)
def test_large_blocks_are_better_than_slices_and_these_than_blocks_of_one_tile(batch, size, channels, block, slices):
    (call,) = [call for call in calls(image(batch, size, size, channels, channels)) if isinstance(call, Conv2d)]
    assert (call.conv_config.act_block_h_override, call.slices) == (block, slices)
    shard = shard_rows(call.parts[0].output_pixels, call.shard_cores(TARGETS["n150"].grid))
    larger = [rows for rows in range(block + TILE, shard + 1, TILE) if shard % rows == 0]
    assert not block or larger
    for rows in larger * (block > 0):
        config = replace(call.conv_config, act_block_h_override=rows, reallocate_halo_output=True)
        assert not fits(replace(call, conv_config=config), DType.bf16, TARGETS["n150"])


PARTS = [(4, 1600, 20), (2, 3201, 20)]
"""Images [N, H, W] that L1 cannot hold with 512 bytes a pixel, but half of them; the second end inside tiles."""


@pytest.mark.parametrize(
    ("sizes", "before", "after"),
    [
        (PARTS[0], ["slice"] * 2, []),
        (PARTS[1], ["to_layout", "slice", "slice", "to_layout", "to_layout"], ["to_layout"]),
    ],
)
def test_a_batch_that_does_not_fit_is_cut_into_equal_parts(sizes, before, after):
    found = calls(image(*sizes, 256, 32))
    convolutions = [call for call in found if isinstance(call, Conv2d)]
    assert [call.batch_size for call in convolutions] == [sizes[0] // 2] * 2
    assert len({(call.weight_tensor, call.bias_tensor) for call in convolutions}) == 1
    moves = [name for call in found if (name := call.mnemonic.removeprefix("ttnn.")) in ("slice", "to_layout")]
    assert sorted(moves) == sorted([*before, *after, *after * 2])


def test_layers_in_a_row_hand_on_their_parts():
    text = (
        image(*PARTS[0], 256, 256).replace('return "y"=%y', "")
        + f"""
      %z: f32[1,1,128000,256] = conv(x=%y, w=%w, bias=%b, {UNIT}, rows=[4, 1600, 20])
      return "z"=%z"""
    )
    found = mnemonics(text)
    assert (found.count("slice"), found.count("conv2d"), found.count("concat")) == (2, 4, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            image(1, 2, 2, 200_000, 32),
            r"200000 to 32 channels and 1 x 2 x 2 to 2 x 2 pixels with a kernel of 3 x 3 does not fit into L1, "
            "and TTNN cuts it into no slices that are right",
        ),
        (image(1, 2, 100, 200_000, 32), "does not fit into L1, not even in the thinnest slices along the width"),
        (image(4, 2, 100, 200_000, 32), "not even one image at a time in the thinnest slices along the width"),
        (
            image(2, 2, 2, 200_000, 32),
            "does not fit into L1, not even one image at a time, and TTNN cuts it into no slices that are right",
        ),
    ],
)
def test_of_which_no_window_fits_is_refused_with_its_numbers(text, reason):
    with pytest.raises(Refused, match=reason):
        calls(text)


FEW_RESULTS = """
      %x: f32[1,1,65536,3] = input(name="x")
      %w: f32[32,3,18,18] = const(ref="w")
      %y: f32[1,1,144,32] = conv(x=%x, w=%w, stride=[18, 18], padding=[[0, 0], [0, 0]], dilation=[1, 1],
        rows=[16, 64, 64])
      return "y"=%y"""
"""Of 5 tiles of results, whose 5 cores hold the whole input of 16 images."""


def small(images: int, height: int, results: int, dilation: int = 1, channels: int = 2) -> str:
    """Images one pixel wide under a kernel of two pixels."""
    return f"""
      %x: f32[1,1,{images * height},{channels}] = input(name="x")
      %w: f32[3,{channels},2,1] = const(ref="w")
      %y: f32[1,1,{images * results},3] = conv(x=%x, w=%w, stride=[1, 1], padding=[[0, 0], [0, 0]],
        dilation=[{dilation}, 1], rows=[{images}, {height}, 1])
      return "y"=%y""".replace(",\n        ", ", ")


MANY_SMALL = [small(15, 3, 1, 2), small(16, 3, 1, 2), small(31, 3, 2), small(31, 4, 3), small(900, 2, 1)]
"""Batches whose windows skip lines between images: a run of windows is a pixel, two or three."""


@pytest.mark.parametrize("target", EACH_CARD)
@pytest.mark.parametrize("dtypes", [(DType.f32, DType.f32), *((DType.bf16, d) for d in BLOCKS)], ids=str)
def test_the_real_library_takes_sliced_and_whole_convolutions_with_bias(target, dtypes, ttnn_python):
    texts = [
        image(1, 14, 14, 64, 288),
        image(1, 56, 56, 64, 64),
        image(1, 250, 130, 64, 96),
        line(96_000, 128),
        line(50_001, 96),
        image(16, 28, 28, 512, 64),
        image(16, 56, 56, 128, 256),
        *[image(*sizes, int(512 / dtypes[0].bytes), 32) for sizes in PARTS],
        FEW_RESULTS,
        *MANY_SMALL,
        transposed(200, 64, 48, 8, 4),
        transposed(30_000, 48, 64, 8, 4),
    ]
    programs = [lower(parse_graph(f"graph {{\n{text}\n}}"), TARGETS[target], *dtypes)[0] for text in texts]
    reports = check_many([str(program) for program in programs], TARGETS[target])
    assert [report.faults for report in reports if not report.ok] == []


def test_patches_are_folded():
    call = conv2d(
        "f32[1,1,4096,3]",
        "f32[96,3,16,16]",
        "f32[1,1,16,96] = conv(x=%x, w=%w, stride=[16, 16], padding=[[0, 0], [0, 0]], dilation=[1, 1], "
        "rows=[1, 64, 64])",
    )
    assert call.conv_config.folded


@pytest.mark.parametrize(
    ("rest", "count", "folded"),
    [
        ("stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1], rows=[9, 2, 3]", 9, True),
        ("stride=[5, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1], rows=[9, 2, 3]", 9, True),
        ("stride=[2, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1], rows=[9, 4, 3]", 18, True),
        ("stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1], rows=[3, 3, 3]", 6, False),
        ("stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[2, 1], rows=[9, 3, 3]", 9, False),
        ("stride=[3, 3], padding=[[1, 0], [0, 0]], dilation=[1, 1], rows=[9, 2, 3]", 9, False),
    ],
)
def test_a_window_of_the_image_s_size_is_folded_whatever_the_stride(rest: str, count: int, folded: bool):
    pixels = prod(int(size) for size in rest.rpartition("[")[2].rstrip("]").split(","))
    call = conv2d(f"f32[1,1,{pixels},4]", "f32[8,4,2,3]", f"f32[1,1,{count},8] = conv(x=%x, w=%w, {rest})")
    assert call.conv_config.folded == folded


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("target", EACH_CARD)
def test_the_real_library_takes_patches_of_weights_in_blocks(target: str, bias: bool, ttnn_python: str):
    """With a bias the weights stay plain, in whose dtype TTNN takes the bias."""
    compiled = ttc.compile(
        nn.Conv2d(3, 96, 16, 16, bias=bias).eval(), torch.zeros(2, 3, 64, 64), target=target, dtype="bfp8"
    )
    program = compiled.build.program
    weights = [spec_of(node.op.weight_tensor).dtype for node in program.graph.nodes if isinstance(node.op, Conv2d)]
    assert weights == [DType.bf16 if bias else DType.bfp8]
    (report,) = check_many([str(program.graph)], TARGETS[target])
    assert report.ok, report.faults


@pytest.mark.parametrize(("stride", "length", "size"), [(1, 100, (100, 1)), (2, 50, (1, 100))])
def test_one_dimension_lies_on_the_height_unless_it_is_strided(stride, length, size):
    call = conv2d(
        "f32[1,1,100,32]",
        "f32[32,32,3]",
        f"f32[1,1,{length},32] = conv(x=%x, w=%w, stride=[{stride}], padding=[[1, 1]], dilation=[1], rows=[1, 100])",
    )
    assert (call.input_height, call.input_width) == size


def transposed(length: int, channels: int, out: int, kernel: int, stride: int) -> str:
    size = (length - 1) * stride + kernel
    return f"""
        %x: f32[1,1,{length},{channels}] = input(name="x")
        %w: f32[{channels},{out},{kernel}] = const(ref="w")
        %b: f32[{out}] = const(ref="b")
        %y: f32[1,1,{size},{out}] = conv_transpose(x=%x, w=%w, bias=%b, stride=[{stride}], padding=[[0, 0]],
            output_padding=[0], dilation=[1], rows=[1, {length}])
        return "y"=%y""".replace(",\n            ", ", ")


@pytest.mark.parametrize(("length", "size", "whole"), [(100, (100, 1), True), (30_000, (1, 30_000), False)])
def test_a_transposed_dimension_lies_on_the_height_unless_it_is_cut(length, size, whole):
    *prepared, call = [call for call in calls(transposed(length, 128, 64, 8, 4)) if isinstance(call, Convolution)]
    for part in (*prepared, call):
        assert ((part.input_height, part.input_width), part.whole) == (size, whole)
    assert len(prepared) == 2


@pytest.mark.parametrize("target", EACH_CARD)
@pytest.mark.parametrize("dtype", [DType.f32, DType.bf16])
def test_the_real_library_cuts_long_transposed_convolutions(target, dtype, ttnn_python):
    """EnCodec's, at 20 seconds of sound."""
    layers = [(1500, 512, 256, 16, 8), (12_000, 256, 128, 10, 5), (60_000, 128, 64, 8, 4), (240_000, 64, 32, 4, 2)]
    graphs = [parse_graph(f"graph {{\n{transposed(*layer)}\n}}") for layer in layers]
    programs = [lower(graph, TARGETS[target], dtype, dtype)[0] for graph in graphs]
    reports = check_many([str(program) for program in programs], TARGETS[target])
    assert [report.faults for report in reports if not report.ok] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '%x: f32[1,8,6,6] = input(name="x")\n%w: f32[8,8,3,3] = input(name="w")\n'
            "%y: f32[1,8,4,4] = conv(x=%x, w=%w, stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1])\n",
            "must be known before the first run",
        ),
        (
            '%x: f32[1,1,50,1026] = input(name="x")\n%w: f32[1026,1,1024] = const(ref="w")\n'
            "%y: f32[1,1,13568,1] = conv_transpose(x=%x, w=%w, stride=[256], padding=[[0, 0]], output_padding=[0], "
            "dilation=[1], rows=[1, 50])\n",
            "TTNN does not finish preparing a weight of 1024 taps x 1026 channels",
        ),
    ],
)
def test_refusals(text, reason):
    with pytest.raises(Refused, match=reason):
        calls(text + 'return "y"=%y')
