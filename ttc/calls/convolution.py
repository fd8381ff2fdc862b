"""The base of convolution calls: their geometry and configuration, and how weights are prepared for them.

A convolution's shard layout and grid are stated, never TTNN's own choice, so that the form of the prepared weights
and the L1 of the convolution follow from the rules below. The rules were found by probing the library and hold for
every convolution of the tests, bf16 and fp32, on each target.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ttc.calls.call import (
    EXACT,
    NO_PROGRAM,
    PLAIN_FLOATS,
    Call,
    ComputeKernelConfig,
    Dispatch,
    UnaryWithParam,
    accept,
    spec_of,
)
from ttc.calls.slicing import WHOLE, Op2DSliceConfig
from ttc.calls.target import Target
from ttc.calls.window import Window, shard_rows
from ttc.errors import Refusal
from ttc.ir import HOST, TILE, DType, Layout, Sharding, Spec, Value, round_up

INPUTS = frozenset({DType.bf16, DType.f32, DType.bfp8})


@dataclass(frozen=True)
class CoreRectangle:
    """The cores from the first to (columns, rows), as TTNN's CoreRangeSet."""

    columns: int
    rows: int


@dataclass(frozen=True)
class Conv2dConfig:
    """Configuration with TTNN's own fields and defaults; `override_sharding_config` makes `core_grid` binding.

    A core computes `act_block_h_override` rows of the result at a time, at 0 as many as TTNN chooses. With
    `reallocate_halo_output` TTNN moves the halo into the freed input shard, if the L1's other buffers let it.
    Stride folding turns a window as large as its stride into channels, and the convolution into a product.
    """

    weights_dtype: DType | None = None
    activation: UnaryWithParam | None = None
    reallocate_halo_output: bool = True
    config_tensors_in_dram: bool = False
    act_block_h_override: int = 0
    override_sharding_config: bool = False
    shard_layout: Sharding | None = None
    core_grid: CoreRectangle | None = None
    enable_kernel_stride_folding: bool | None = None

    @property
    def folded(self) -> bool:
        return bool(self.enable_kernel_stride_folding)


@dataclass(frozen=True)
class Convolution(Call, abstract=True):
    """Geometry on which a convolution and the preparation of its weights and bias must agree.

    `padding` is (top, bottom, left, right); `conv_config` states the shard layout: height (rows of pixels over all
    cores) or block (rows of pixels over core rows, channels over core columns, with the grid); or, for a window that
    tiles its image, stride folding.
    """

    slices_field: ClassVar[str] = "slice_config"
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
    compute_config: ComputeKernelConfig | None = EXACT

    @property
    def taps(self) -> int:
        return math.prod(self.kernel_size)

    @property
    def slices(self) -> Op2DSliceConfig | None:
        """Return the stated slices."""
        return getattr(self, self.slices_field, None)

    @property
    def whole(self) -> bool:
        """Return whether the convolution is stated to run in one piece, not in slices."""
        return self.slices == WHOLE

    @property
    def lines_are_tiles(self) -> bool:
        """Return whether each line of the images, and of the results, is whole tiles.

        Of others TTNN's slices along the height are wrong on a card (tt-metal issue 42667).
        """
        return self.input_width % TILE == 0 and self.window.output[1] % TILE == 0

    @property
    def parts(self) -> tuple[Window, ...]:
        """Return the windows that the convolution runs in, one of each size, the largest first."""
        return (self.slices or WHOLE).parts(self.window)

    def weights_dtype(self, dtype: DType) -> DType:
        """Return the dtype that the weights are prepared in, `dtype` where nothing says."""
        weight = getattr(self, "weight_tensor", None)
        return self.conv_config.weights_dtype or (spec_of(weight).dtype if weight is not None else dtype)

    @property
    def window(self) -> Window:
        size = (self.input_height, self.input_width)
        return Window(self.batch_size, size, self.kernel_size, self.stride, self.padding, self.dilation)

    @property
    def keeps_input(self) -> bool:
        """Return whether the room of the input shard is not used again once its halo is there."""
        return not self.conv_config.reallocate_halo_output

    def input_rows(self, part: Window, cores: int) -> int:
        """Count the rows of each core's shard of the input of a part, which block shards spread over all rows."""
        in_blocks = self.conv_config.shard_layout is Sharding.BLOCK_SHARDED
        return shard_rows(part.pixels, cores) if in_blocks else part.input_rows(cores)

    def shard_cores(self, grid: tuple[int, int]) -> int:
        """Return the number of cores that pixels are spread over: the rows of the grid for block shards, else all."""
        stated = self.conv_config.core_grid
        columns, rows = (stated.columns, stated.rows) if stated else grid
        return rows if self.conv_config.shard_layout is Sharding.BLOCK_SHARDED else columns * rows

    def dispatch(self, target: Target) -> Dispatch:
        """Count no device program: TTNN prepares weights and biases on the host."""
        return NO_PROGRAM

    def stored_channels(self, channels: int) -> int:
        """Return the channels as stored: whole tiles, in block layout equally many for each core column with any."""
        if self.conv_config.shard_layout is Sharding.HEIGHT_SHARDED or self.conv_config.folded:
            return round_up(channels, TILE)
        if self.conv_config.shard_layout is not Sharding.BLOCK_SHARDED or self.conv_config.core_grid is None:
            raise Refusal("a convolution must state height shards, or block shards and their grid")
        tiles = -(-channels // TILE)
        per_core = -(-tiles // self.conv_config.core_grid.columns)
        return -(-tiles // per_core) * per_core * TILE

    def stored_rows(self) -> int:
        """Return the number of rows of the prepared weight as stored.

        Rows are whole tiles of channels for each tap; for slices in blocks a core column has a multiple of 8
        channels, and whole tiles for each row of the kernel. Of images one line high slices have no form of their own.
        """
        config = self.conv_config
        if config.folded:
            return round_up(self.taps * self.in_channels, TILE)
        if self.whole or self.input_height == 1 or config.shard_layout is not Sharding.BLOCK_SHARDED:
            return self.taps * self.stored_channels(self.in_channels)
        return self.sliced_rows()

    def sliced_rows(self) -> int:
        """Return the number of rows of a prepared weight in the form of slices."""
        height, width = self.kernel_size
        return height * round_up(width * self.column_channels, TILE) * -(-self.in_channels // self.column_channels)

    @property
    def sliced_columns(self) -> int:
        """Return the number of core columns that a slice's input channels are spread over."""
        grid = self.conv_config.core_grid
        return grid.columns if grid and self.conv_config.shard_layout is Sharding.BLOCK_SHARDED else 1

    @property
    def column_channels(self) -> int:
        """Return the channels of a slice's input that a core column takes: a multiple of 8, in all but the last."""
        return round_up(-(-self.in_channels // self.sliced_columns), 8)

    def reshards(self) -> Dispatch:
        """Count a reshard and a move for each slice where some core columns get no channels of the slice."""
        filled = -(-self.in_channels // self.column_channels)
        if self.slices is None or self.whole or filled == self.sliced_columns:
            return NO_PROGRAM
        return self.slices.num_slices * Dispatch(2, 1)


def on_host(value: Value, shape: tuple[int, ...], what: str) -> DType:
    """Return the dtype of an unprepared weight; Refusal unless it has this shape and lies on the host in rows."""
    spec = spec_of(value)
    accept(value, Layout.ROW_MAJOR, PLAIN_FLOATS, what)
    if spec.shape != shape or spec.memory != HOST:
        raise Refusal(f"{what} must be {list(shape)} on the host, got {spec}")
    return spec.dtype


def prepared_weights(call: Convolution, dtype: DType) -> Spec:
    """Return the spec of prepared weights that came as `dtype`; Refusal if the stated slices are none."""
    if call.slices is not None:
        call.slices.check(call.window)
    shape = (1, 1, call.taps * call.in_channels, call.out_channels)
    padded = (1, 1, call.stored_rows(), call.stored_channels(call.out_channels))
    return Spec(call.conv_config.weights_dtype or dtype, shape, padded=padded)


def prepared_bias(call: Convolution, dtype: DType) -> Spec:
    """Return the spec of a prepared bias that came as `dtype`, a plain float: TTNN prepares no block formats."""
    dtype = call.conv_config.weights_dtype or dtype
    if dtype not in PLAIN_FLOATS:
        raise Refusal(f"a convolution's bias cannot be prepared as {dtype}")
    shape = (1, 1, 1, call.out_channels)
    padded = (1, 1, TILE, call.stored_channels(call.out_channels))
    return Spec(dtype, shape, padded=padded)


def convolved(call: Any, pixels: int) -> Spec:
    """Return the result's spec; Refusal unless `pixels` rows go in and the weights are prepared for the call."""
    accept(call.input_tensor, Layout.TILE, INPUTS, "input_tensor")
    given = (1, 1, pixels, call.in_channels)
    if call.input_tensor.shape != given:
        raise Refusal(f"input_tensor must be {list(given)}, got {call.input_tensor.type}")
    for value, prepared in ((call.weight_tensor, prepared_weights), (call.bias_tensor, prepared_bias)):
        if value is not None and value.type != (spec := prepared(call, spec_of(value).dtype)):
            raise Refusal(f"a weight is prepared as {value.type}, but this convolution takes {spec}")
    if call.memory_config is None:
        raise Refusal("a convolution must state its result's memory")
    shape = (1, 1, call.window.output_pixels, call.out_channels)
    return Spec(call.dtype or spec_of(call.input_tensor).dtype, shape, Layout.TILE, call.memory_config)
