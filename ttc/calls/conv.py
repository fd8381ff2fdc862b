"""Convolutions, and the preparation of their weights that runs once at set-up.

A convolution's shard layout and grid are stated, never TTNN's own choice, so that the form of the prepared
weights and the L1 it takes follow from the rules below. They were found by probing the library and hold
for every convolution of the tests, bf16 and fp32, on each target.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import Any, ClassVar

from ttc.calls.call import FLOATS, PLAIN_FLOATS, Call, ComputeKernelConfig, UnaryWithParam, Workspace, accept, spec_of
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import HOST, TILE, DType, Layout, MemoryConfig, Sharding, Spec, Value, round_up

INPUTS = frozenset({DType.bf16, DType.f32, DType.bfp8})


class SliceType(Enum):
    """How a sliding window op too large for L1 goes through it; L1Full: all at once."""

    L1Full = "L1Full"


@dataclass(frozen=True)
class Op2DSliceConfig:
    """States that an op is (not) cut in slices; where a call has none, TTNN cuts as it must."""

    slice_type: SliceType


@dataclass(frozen=True)
class CoreRectangle:
    """The cores from the first to (columns, rows), as TTNN's CoreRangeSet."""

    columns: int
    rows: int


@dataclass(frozen=True)
class Conv2dConfig:
    """TTNN's own fields and defaults; `override_sharding_config` makes `core_grid` binding."""

    weights_dtype: DType | None = None
    activation: UnaryWithParam | None = None
    config_tensors_in_dram: bool = False
    override_sharding_config: bool = False
    shard_layout: Sharding | None = None
    core_grid: CoreRectangle | None = None


@dataclass(frozen=True)
class Convolution(Call, abstract=True):
    """What a convolution and the preparation of its weights and bias must agree on.

    `padding` is (top, bottom, left, right); `conv_config` states the shard layout: height (rows of pixels over
    all cores) or block (rows of pixels over core rows, channels over core columns, with the grid).
    """

    _: KW_ONLY
    in_channels: int
    out_channels: int
    batch_size: int
    input_height: int
    input_width: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int
    conv_config: Conv2dConfig
    compute_config: ComputeKernelConfig | None = None

    @property
    def taps(self) -> int:
        return math.prod(self.kernel_size)

    def output_size(self) -> tuple[int, int]:
        """Height and width of the result."""
        sizes = (self.input_height, self.input_width)
        pads = (sum(self.padding[:2]), sum(self.padding[2:]))
        return tuple(  # type: ignore[return-value]
            (size + pad - dilation * (kernel - 1) - 1) // stride + 1
            for size, pad, dilation, kernel, stride in zip(
                sizes, pads, self.dilation, self.kernel_size, self.stride, strict=True
            )
        )

    def stored_channels(self, channels: int) -> int:
        """Channels as stored: whole tiles, in block layout as many for each core column that has any."""
        if self.conv_config.shard_layout is Sharding.HEIGHT_SHARDED:
            return round_up(channels, TILE)
        if self.conv_config.shard_layout is not Sharding.BLOCK_SHARDED or self.conv_config.core_grid is None:
            raise Refusal("a convolution must state height shards, or block shards and their grid")
        tiles = -(-channels // TILE)
        per_core = -(-tiles // self.conv_config.core_grid.columns)
        return -(-tiles // per_core) * per_core * TILE


@dataclass(frozen=True)
class PrepareConvWeights(Convolution, name="ttnn.prepare_conv_weights"):
    """[O, I / groups, h, w] on the host -> the device form that conv2d takes: [1, 1, h * w * I, O].

    Groups become one dense matrix, zero outside its blocks. The order of its rows is TTNN's own affair.
    """

    _: KW_ONLY
    weight_tensor: Value
    input_memory_config: MemoryConfig
    input_layout: Layout
    weights_format: str
    has_bias: bool
    input_dtype: DType
    slice_config: Op2DSliceConfig | None = None
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        expected = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        return prepared_weights(self, on_host(self.weight_tensor, expected, "weight_tensor"))


@dataclass(frozen=True)
class PrepareConvBias(Convolution, name="ttnn.prepare_conv_bias"):
    """[1, 1, 1, O] on the host -> the device form that conv2d takes."""

    _: KW_ONLY
    bias_tensor: Value
    input_memory_config: MemoryConfig
    input_layout: Layout
    input_dtype: DType
    slice_config: Op2DSliceConfig | None = None
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        return prepared_bias(self, on_host(self.bias_tensor, (1, 1, 1, self.out_channels), "bias_tensor"))


@dataclass(frozen=True)
class Conv2d(Convolution, name="ttnn.conv2d"):
    """Convolution of channels-last rows [1, 1, N * H * W, I] with prepared weights: [1, 1, N * H' * W', O].

    The result's memory must be stated: left out, TTNN would shard it by its own choice.
    """

    _: KW_ONLY
    input_tensor: Value
    weight_tensor: Value
    bias_tensor: Value | None = None
    dtype: DType | None = None
    memory_config: MemoryConfig | None = None
    slice_config: Op2DSliceConfig | None = None
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        height, width = self.output_size()
        dtype = spec_of(self.weight_tensor).dtype
        expected = prepared_weights(self, dtype), self.bias_tensor and prepared_bias(self, dtype)
        return convolved(self, (1, 1, self.batch_size * height * width, self.out_channels), expected)

    def workspace(self, target: Target) -> Workspace:
        """The bound of `sharded_bytes` where the convolution runs whole, else all of L1."""
        if self.slice_config is None:
            return Workspace(circular_buffers=target.l1_bytes)
        return Workspace(circular_buffers=sharded_bytes(self, spec_of(self.input_tensor).dtype, target))


def on_host(value: Value, shape: tuple[int, ...], what: str) -> DType:
    """The dtype of an unprepared weight; Refusal unless it has this shape and lies on the host in rows."""
    spec = spec_of(value)
    accept(value, Layout.ROW_MAJOR, PLAIN_FLOATS, what)
    if spec.shape != shape or spec.memory != HOST:
        raise Refusal(f"{what} must be {list(shape)} on the host, got {spec}")
    return spec.dtype


def prepared_weights(call: Convolution, dtype: DType) -> Spec:
    """The spec of prepared weights that came as `dtype`."""
    rows = (call.in_channels, call.stored_channels(call.in_channels))
    columns = (call.out_channels, call.stored_channels(call.out_channels))
    shape, padded = ((1, 1, call.taps * i, o) for i, o in zip(rows, columns, strict=True))
    return Spec(call.conv_config.weights_dtype or dtype, shape, padded=padded)


def prepared_bias(call: Convolution, dtype: DType) -> Spec:
    """The spec of a prepared bias that came as `dtype`."""
    shape = (1, 1, 1, call.out_channels)
    padded = (1, 1, TILE, call.stored_channels(call.out_channels))
    return Spec(call.conv_config.weights_dtype or dtype, shape, padded=padded)


def convolved(call: Any, shape: tuple[int, ...], expected: tuple[Spec, Spec | None]) -> Spec:
    """The result's spec, of a call whose operands fit its geometry and its weights' `expected` specs."""
    accept(call.input_tensor, Layout.TILE, INPUTS, "input_tensor")
    given = (1, 1, call.batch_size * call.input_height * call.input_width, call.in_channels)
    if call.input_tensor.shape != given:
        raise Refusal(f"input_tensor must be {list(given)}, got {call.input_tensor.type}")
    for value, spec in zip((call.weight_tensor, call.bias_tensor), expected, strict=True):
        if value is not None and value.type != spec:
            raise Refusal(f"a weight is prepared as {value.type}, but this convolution takes {spec}")
    if call.memory_config is None:
        raise Refusal("a convolution must state its result's memory")
    return Spec(call.dtype or spec_of(call.input_tensor).dtype, shape, Layout.TILE, call.memory_config)


def sharded_bytes(call: Convolution, dtype: DType, target: Target) -> int:
    """Upper bound of the L1 that a convolution run whole takes per core, buffers and circular buffers, in bytes.

    The terms are what TTNN holds at once: one kernel row of weights, the input shard with its halo, two
    activation blocks (rows and tiles), the result and its fp32 partial sums, index tables. Measured need is 0.7 to
    1.0 of it over the convolutions of nine networks, bf16 and fp32, n150 and p150.
    """
    columns, rows = target.grid
    cores = columns * rows
    channels_in, channels_out = -(-call.in_channels // TILE), -(-call.out_channels // TILE)
    if call.conv_config.shard_layout is Sharding.BLOCK_SHARDED:
        cores = rows
        channels_in, channels_out = -(-channels_in // columns), -(-channels_out // columns)
    channels_in, channels_out = channels_in * TILE, channels_out * TILE
    height, width = call.output_size()
    here = -(-call.batch_size * height * width // (TILE * cores)) * TILE
    span = call.dilation[0] * (call.kernel_size[0] - 1) + 1
    reach = min(
        -(-here // width) * call.stride[0] + span, call.batch_size * (call.input_height + sum(call.padding[:2]))
    )
    halo = reach * (call.input_width + sum(call.padding[2:])) * channels_in * dtype.bytes
    weights = call.kernel_size[1] * channels_in * channels_out * dtype.bytes
    blocks = 2 * here * call.kernel_size[1] * channels_in * dtype.bytes
    results = 2 * here * channels_out * DType.f32.bytes
    return int(weights + halo + blocks + results) + 4096
