"""Plan of a convolution's work: its dimensions on a plane, the shard layout, the slices."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ttc.analysis.residency import l1_bank
from ttc.backend.lowering import Lowering
from ttc.backend.rules.batches import equal_parts
from ttc.calls.call import PLAIN_FLOATS
from ttc.calls.conv_bytes import sharded_bytes
from ttc.calls.convolution import Conv2dConfig, Convolution, CoreRectangle
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, SliceType
from ttc.calls.target import Target
from ttc.calls.window import shard_rows
from ttc.errors import Refusal
from ttc.ir import DRAM, L1, TILE, DType, MemoryConfig, Sharding
from ttc.ops.conv import Pads

WORDS = {SliceType.DRAMSliceHeight: "the height", SliceType.DRAMSliceWidth: "the width"}

Call = TypeVar("Call", bound=Convolution)
Describe = Callable[[int, bool], Call]
"""Makes a call of a number of images, shards and slices not stated, given whether one dimension lies on the width."""


def plan(describe: Describe[Call], batch: int, sides: tuple[bool, ...], dtype: DType, target: Target) -> Call:
    """Return the call on the largest equal part of a batch of images that fits into L1, as `in_l1` says.

    `sides` are the choices of where a single dimension lies, in order. Refusal if not even one image fits.
    """
    for parts in equal_parts(batch):
        found = in_l1([describe(batch // parts, side) for side in sides], dtype, target)
        if found is not None:
            return found
    raise Refusal(does_not_fit(describe(batch, sides[-1]), target))


def in_l1(calls: list[Call], dtype: DType, target: Target) -> Call | None:
    """Return the first call that fits into L1 whole, else by blocks, else the last in slices; None if none fit.

    Each block of rows takes all weights anew, and one of a single tile waits for them: slices are better, if there are.
    """
    whole = [found for call in calls if (found := whole_in_l1(call, dtype, target))]
    if whole:
        return whole[0]
    blocks = [found for call in calls if (found := whole_by_blocks(call, dtype, target))]
    large = [cut for cut in blocks if cut.conv_config.act_block_h_override > TILE]
    return next(filter(None, (*large, in_fewest_slices(calls[-1], dtype, target), *blocks)), None)


def in_fewest_slices(call: Call, dtype: DType, target: Target) -> Call | None:
    """Return the call in the fewest slices that fit into L1 and that TTNN computes right; None if none do."""
    kinds, plain = sound_slices(call), with_plain_weights(call, dtype)  # plain first: these take more of L1
    cuts = [fewest_slices(layout, kind, dtype, target) for layout in sliced_layouts(plain, target) for kind in kinds]
    return min(filter(None, cuts), key=number_of_slices, default=None)


def with_plain_weights(call: Call, dtype: DType) -> Call:
    """Return the call with weights in `dtype` in place of a block format: TTNN prepares none for slices."""
    if call.conv_config.weights_dtype in PLAIN_FLOATS:
        return call
    return replace(call, conv_config=replace(call.conv_config, weights_dtype=dtype))


def whole_in_l1(call: Call, dtype: DType, target: Target) -> Call | None:
    """Return the call whole, in the shard layout that needs the least L1; None if the call does not fit whole."""
    whole = [in_slices(layout, WHOLE) for layout in layouts(call, target)]
    fitting = [cut for cut in whole if fits(cut, dtype, target)]
    least = min(fitting, key=lambda cut: sharded_bytes(cut, dtype, target), default=None)
    return least and halo_in_place(least, dtype, target)


def whole_by_blocks(call: Call, dtype: DType, target: Target) -> Call | None:
    """Return the call whole, in the fewest blocks that fit into L1; None if none fit."""
    cuts = [largest_block(in_slices(layout, WHOLE), dtype, target) for layout in layouts(call, target)]
    largest = max(filter(None, cuts), key=lambda cut: cut.conv_config.act_block_h_override, default=None)
    return largest and halo_in_place(largest, dtype, target)


def layouts(call: Call, target: Target) -> tuple[Call, Call]:
    """Return the call in each shard layout."""
    return in_height(call), in_blocks(call, *target.grid)


def sliced_layouts(call: Call, target: Target) -> list[Call]:
    """Return the call in each shard layout in which the weights are prepared as slices take them.

    The weights of images one line high are prepared as for the whole: in blocks of as many channels, of whole tiles.
    """
    columns, rows = target.grid
    if call.input_height > 1 or call.keeps_input:
        return list(layouts(call, target))
    tiles, rest = divmod(call.in_channels, TILE)
    if rest:
        return [in_height(call)]
    columns = max(count for count in range(1, columns + 1) if tiles % count == 0)
    return [in_height(call), in_blocks(call, columns, rows)]


def does_not_fit(call: Convolution, target: Target) -> str:
    """Explain with the convolution's numbers why neither the whole, nor one image, nor slices will do."""
    kinds = sound_slices(call)
    if not kinds and all(has_long_index(in_slices(layout, WHOLE), target) for layout in layouts(call, target)):
        return f"TTNN has no room for the index of a result {call.window.output[1]} pixels wide"
    sizes = (call.input_height, call.input_width), call.kernel_size, call.window.output
    image, kernel, result = (f"{height} x {width}" for height, width in sizes)
    least = ["one image at a time"] * (call.batch_size > 1)
    least += [f"in the thinnest slices along {' or '.join(WORDS[kind] for kind in kinds)}"] * bool(kinds)
    return (
        f"a convolution of {call.in_channels} to {call.out_channels} channels and "
        f"{call.batch_size} x {image} to {result} pixels with a kernel of {kernel} does not fit into L1"
        + (f", not even {' '.join(least)}" if least else "")
        + ("" if kinds else ", and TTNN cuts it into no slices that are right")
    )


def sound_slices(call: Convolution) -> list[SliceType]:
    """List the kinds of slices, of two at the least, that TTNN computes right."""
    height, width = call.window.output
    kinds = [SliceType.DRAMSliceHeight] * (height > 1 and call.lines_are_tiles)
    return kinds + [SliceType.DRAMSliceWidth] * (width > TILE)


def fewest_slices(call: Call, kind: SliceType, dtype: DType, target: Target) -> Call | None:
    """Return the call in the fewest slices of a kind that fit into L1, in the largest block; None if none fit.

    The block is stated: left to TTNN, the block of slices cost a model its correlation (tt-metal issue 35852).
    """

    def cut(slices: int, block: int) -> Call:
        return in_block(in_slices(call, Op2DSliceConfig(kind, slices)), block)

    counts = range(2, Op2DSliceConfig(kind).most(call.window) + 1)
    shard = shard_rows(call.window.output_pixels, call.shard_cores(target.grid))
    found = [
        counts[at]
        for block in (TILE, shard)  # in several blocks, or in one, whose weights need not stay in L1
        if (at := bisect_left(counts, True, key=lambda n, block=block: fits(cut(n, block), dtype, target)))
        < len(counts)
    ]
    if not found:
        return None
    slices = min(found)
    return largest_block(cut(slices, TILE), dtype, target)


def largest_block(call: Call, dtype: DType, target: Target) -> Call | None:
    """Return the call in the largest block that fits into L1: the whole of a core's rows, or a part of each slice's."""
    shards = [shard_rows(part.output_pixels, call.shard_cores(target.grid)) for part in call.parts]
    tiles = math.gcd(*shards) // TILE
    blocks = [max(shards), *(TILE * count for count in range(tiles, 0, -1) if tiles % count == 0)]
    return next((fit for block in blocks if fits(fit := in_block(call, block), dtype, target)), None)


def halo_in_place(call: Call, dtype: DType, target: Target) -> Call:
    """Return the call with its halo left where TTNN makes it, if that fits into L1.

    Moving it is a device program more, which TTNN leaves out where the L1's other buffers give it the same place.
    """
    if call.keeps_input:
        return call
    in_place = replace(call, conv_config=replace(call.conv_config, reallocate_halo_output=False))
    return in_place if fits(in_place, dtype, target) else call


def fits(call: Convolution, dtype: DType, target: Target) -> bool:
    """Return whether a call, its slices and shards stated, fits into L1, its index into the index's buffer."""
    room = l1_bank(target)
    return sharded_bytes(call, dtype, target) <= room and not has_long_index(call, target)


def in_slices(call: Call, slices: Op2DSliceConfig) -> Call:
    """Return the call with its slices stated."""
    return replace(call, **{call.slices_field: slices})


def in_block(call: Call, rows: int) -> Call:
    """Return the call with a core's block stated: the rows of the result that a core computes at a time."""
    return replace(call, conv_config=replace(call.conv_config, act_block_h_override=rows))


def number_of_slices(call: Convolution) -> int:
    """Return the number of stated slices."""
    return call.slices.num_slices if call.slices else 0


def in_height(call: Call) -> Call:
    """Return the call with rows of pixels over all cores."""
    return replace(call, conv_config=replace(call.conv_config, shard_layout=Sharding.HEIGHT_SHARDED))


def in_blocks(call: Call, columns: int, rows: int) -> Call:
    """Return the call with pixels over the rows and channels over the columns of cores."""
    config = replace(
        call.conv_config,
        shard_layout=Sharding.BLOCK_SHARDED,
        override_sharding_config=True,
        core_grid=CoreRectangle(columns, rows),
    )
    return replace(call, conv_config=config)


def has_long_index(call: Convolution, target: Target) -> bool:
    """Return whether the index of a shard's windows, 4 bytes a run and 4 more, outgrows its buffer of 2 bytes a row."""
    part = call.parts[0]
    here = shard_rows(part.output_pixels, call.shard_cores(target.grid))
    return 4 * (part.runs(here) + 1) > 2 * here


def geometry(
    spatial: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], padding: Pads, wide: bool
) -> dict[str, Any]:
    """Return the fields of image and window; a single dimension lies on the height, or on the width if `wide`."""
    height, width = plane(spatial, wide)
    begins, ends = (plane(tuple(pads), wide, other=0) for pads in zip(*padding, strict=True))
    return {
        "input_height": height,
        "input_width": width,
        "kernel_size": plane(kernel, wide),
        "stride": plane(stride, wide),
        "padding": (begins[0], ends[0], begins[1], ends[1]),
    }


def on_width(stride: tuple[int, ...]) -> bool:
    """Return whether a single dimension lies on the width: strided windows on the height are too many runs.

    Each run would be one pixel. Without strides the dimension lies on the height, where TTNN needs less L1.
    """
    return len(stride) == 1 and stride[0] > 1


def plane(sizes: tuple[int, ...], wide: bool = False, other: int = 1) -> tuple[int, int]:
    """Return one or two sizes as (height, width), with `other` for a missing second size."""
    first, second = (*sizes, other)[:2]
    return (second, first) if wide and len(sizes) == 1 else (first, second)


def plane_weight(shape: tuple[int, ...], wide: bool) -> tuple[int, ...]:
    """Return a weight's shape with two kernel sizes."""
    return (*shape[:2], *plane(shape[2:], wide))


def bias_config(call: Convolution, to: Lowering) -> Conv2dConfig:
    """Return the configuration that prepares a bias: TTNN prepares none in a block format."""
    plain = call.conv_config.weights_dtype in PLAIN_FLOATS
    return call.conv_config if plain else replace(call.conv_config, weights_dtype=to.dtype)


def taken_as_prepared(call: Convolution) -> Conv2dConfig:
    """Return the configuration of a convolution that takes weight and bias in the dtypes that they are prepared in."""
    plain = call.conv_config.weights_dtype in PLAIN_FLOATS
    return call.conv_config if plain else replace(call.conv_config, weights_dtype=None)


def bias_memory(call: Convolution) -> MemoryConfig:
    """Return the input memory that a bias is prepared for: TTNN would cut an input in DRAM by its own choice."""
    return DRAM if call.whole else L1


def host_dtype(to: Lowering) -> DType:
    """Return a weight's dtype on the host: the dtype on the device, but fp32 for block formats."""
    return to.weight_dtype if to.weight_dtype in PLAIN_FLOATS else DType.f32
