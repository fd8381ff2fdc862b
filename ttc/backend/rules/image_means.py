"""Lowering of means of whole images: avg_pool2d where that takes less time, else means of samples."""

from __future__ import annotations

import math

from ttc import ops
from ttc.analysis.cost.price import call_seconds
from ttc.analysis.residency import l1_bank
from ttc.backend.lowering import Lowering
from ttc.backend.rules.moves import reshaped
from ttc.backend.rules.spatial import to_rows
from ttc.calls.call import Call, spec_of
from ttc.calls.layout import ToLayout
from ttc.calls.pool import AvgPool2d
from ttc.calls.reduce import Mean
from ttc.calls.shape import Reshape
from ttc.calls.slicing import WHOLE
from ttc.calls.target import Target
from ttc.ir import DRAM, TILE, DType, Layout, Sharding, Spec, Value
from ttc.ops.spatial import images


def covers_images(op: ops.AvgPool) -> bool:
    """Return whether an average has one window an image, which is the image."""
    sizes = images(op.x, op.rows, len(op.kernel))[2]
    return op.kernel == tuple(sizes) and not any(map(any, op.padding)) and set(op.dilation) == {1}


def image_means(op: ops.AvgPool, to: Lowering) -> Value:
    """Return rows [1, 1, N, C] of means; each image is summed by itself, so that what is not finite stays there."""
    x = to_rows(op.x, op.rows, to)
    batch, channels, sizes = images(op.x, op.rows, len(op.kernel))
    samples = batch, math.prod(sizes), channels
    call = described(x, batch, sizes)
    if fits_avg_pool2d(call, to.target) and taken([call], to.target) < taken(by_samples(x, samples), to.target):
        return to.call(call)
    means = to.call(Mean(to.tile(reshaped(x, samples, to)), (1,)))
    return reshaped(means, (1, 1, batch, channels), to)


def described(x: Value, batch: int, sizes: tuple[int, ...]) -> AvgPool2d:
    """Return the call that averages images, which lie in width shards: each core has all pixels of its channels."""
    size = math.prod(sizes[:-1]), sizes[-1]
    return AvgPool2d(
        x,
        batch,
        *size,
        x.shape[-1],
        size,
        size,
        (0, 0, 0, 0),
        memory_config=DRAM,
        dram_slice_config=WHOLE,
        applied_shard_scheme=Sharding.WIDTH_SHARDED,
        reallocate_halo_output=False,
        output_layout=Layout.TILE,
        config_tensor_in_dram=True,
    )


def fits_avg_pool2d(call: AvgPool2d, target: Target) -> bool:
    """Return whether TTNN averages this: bf16 images of whole tiles of channels, all of whose pixels fit into L1."""
    if spec_of(call.input_tensor).dtype is not DType.bf16 or call.channels % TILE:
        return False
    return call.workspace(target).circular_buffers <= l1_bank(target)


def by_samples(x: Value, samples: tuple[int, int, int]) -> list[Call]:
    """Return the calls that average [N, P, C]: samples that are no whole tiles leave the tiles and come back."""
    rows = ToLayout(x, Layout.ROW_MAJOR)
    cut = Reshape(_made(rows), samples)
    tiles = ToLayout(_made(cut), Layout.TILE)
    return [rows, cut, tiles, Mean(_made(tiles), (1,))]


def taken(calls: list[Call], target: Target) -> float:
    """Predict the seconds that calls take one after the other."""
    return sum(call_seconds(call, target) for call in calls)


def _made(call: Call) -> Value:
    made = call.infer()
    assert isinstance(made, Spec)
    return Value(call, made, "")
