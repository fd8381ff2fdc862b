"""Plan of a convolution's work: its dimensions on a plane, the shard layout, the slices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from ttc.backend.lowering import Lowering
from ttc.calls.call import PLAIN_FLOATS
from ttc.calls.conv import Convolution, CoreRectangle, Op2DSliceConfig, SliceType, sharded_bytes, sliced_bytes
from ttc.calls.target import Target
from ttc.calls.window import shard_rows
from ttc.errors import Refusal
from ttc.ir import DType, Sharding
from ttc.ops.conv import Pads

WHOLE = Op2DSliceConfig(SliceType.L1Full)

SMALL_BYTES = 32_768
"""Bytes of L1 per core that opening the device sets aside for index tables, out of a target's allocatable L1."""

Call = TypeVar("Call", bound=Convolution)


def least_l1(call: Call, dtype: DType, target: Target) -> tuple[Call, Op2DSliceConfig | None]:
    """Return the call with the shard layout that needs the least L1, and its slicing.

    TTNN cuts a convolution that does not fit into L1 whole into slices; Refusal if not even thin slices fit.
    """
    limit = target.l1_bytes - SMALL_BYTES
    candidates = [in_height(call), in_blocks(call, target.grid)]
    fitting = [candidate for candidate in candidates if not has_long_index(candidate, target)]
    if not fitting:
        raise Refusal(f"TTNN has no room for the index of a result {call.window.output[1]} pixels wide")
    best = min(fitting, key=lambda candidate: sharded_bytes(candidate, dtype, target))
    if sharded_bytes(best, dtype, target) <= limit:
        return best, WHOLE
    for candidate in candidates:
        if sliced_bytes(candidate, dtype, target) <= limit:
            return candidate, None
    raise Refusal(f"a convolution of {call.in_channels} to {call.out_channels} channels does not fit into L1")


def in_height(call: Call) -> Call:
    """Return the call with rows of pixels over all cores."""
    return replace(call, conv_config=replace(call.conv_config, shard_layout=Sharding.HEIGHT_SHARDED))


def in_blocks(call: Call, grid: tuple[int, int]) -> Call:
    """Return the call with pixels over the rows and channels over the columns of `grid`."""
    config = replace(
        call.conv_config,
        shard_layout=Sharding.BLOCK_SHARDED,
        override_sharding_config=True,
        core_grid=CoreRectangle(*grid),
    )
    return replace(call, conv_config=config)


def has_long_index(call: Convolution, target: Target) -> bool:
    """Return whether the index of a shard's windows, 4 bytes a run and 4 more, outgrows its buffer of 2 bytes a row."""
    columns, rows = target.grid
    block = call.conv_config.shard_layout is Sharding.BLOCK_SHARDED
    here = shard_rows(call.window.output_pixels, rows if block else columns * rows)
    return 4 * (call.window.runs(here) + 1) > 2 * here


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


def plane_weight(shape: tuple[int, ...], wide: bool = False) -> tuple[int, ...]:
    """Return a weight's shape with two kernel sizes."""
    return (*shape[:2], *plane(shape[2:], wide))


def host_dtype(to: Lowering) -> DType:
    """Return a weight's dtype on the host: the dtype on the device, but fp32 for block formats."""
    return to.weight_dtype if to.weight_dtype in PLAIN_FLOATS else DType.f32
