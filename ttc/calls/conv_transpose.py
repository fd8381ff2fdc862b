"""Transposed convolutions: the same shard layouts and prepared forms as convolutions have."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal

from ttc.calls.call import Dispatch, Workspace, spec_of
from ttc.calls.conv_bytes import sharded_bytes
from ttc.calls.convolution import Convolution, convolved, on_host, prepared_bias, prepared_weights
from ttc.calls.slicing import Op2DSliceConfig, windowed
from ttc.calls.target import Target
from ttc.calls.window import Window, shard_rows
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, MemoryConfig, Spec, Value, round_up

MOST_WEIGHT_ROWS = 1 << 19
"""Rows of a prepared weight, taps * channels, up to which TTNN's preparation on the host is known to end."""


@dataclass(frozen=True)
class TransposedConvolution(Convolution, abstract=True):
    """A convolution of stride 1 over the input spread by `stride`, without the borders that `padding` cuts off."""

    slices_field: ClassVar[str] = "dram_slice_config"
    _: KW_ONLY
    output_padding: tuple[int, int] = (0, 0)

    @property
    def keeps_input(self) -> bool:
        """Return True: TTNN moves no halo of a transposed convolution."""
        return True

    def stored_rows(self) -> int:
        """Return the number of rows of the prepared weight as stored: slices have a form of their own."""
        return super().stored_rows() if self.whole else self.sliced_rows()

    @property
    def window(self) -> Window:
        """Return the window over the spread input, its borders included."""
        sizes, pads = (self.input_height, self.input_width), (sum(self.padding[:2]), sum(self.padding[2:]))
        spread = tuple(
            (size - 1) * stride - pad + extra + 2 * dilation * (kernel - 1) + 1
            for size, stride, pad, extra, dilation, kernel in zip(
                sizes, self.stride, pads, self.output_padding, self.dilation, self.kernel_size, strict=True
            )
        )
        return Window(self.batch_size, spread, self.kernel_size, (1, 1), (0, 0, 0, 0), self.dilation)  # type: ignore[arg-type]

    @property
    def input_pixels(self) -> int:
        return self.batch_size * self.input_height * self.input_width

    def input_rows(self, part: Window, cores: int) -> int:
        """Count the input's own rows that a part reads: the halo holds them spread."""
        sizes = zip((self.input_height, self.input_width), part.padded, self.stride, strict=True)
        return shard_rows(self.batch_size * math.prod(min(size, read // step + 1) for size, read, step in sizes), cores)

    def check(self) -> None:
        """Refuse a geometry that TTNN does not prepare or compute."""
        for side, pad in enumerate(self.padding):
            reach = self.dilation[side // 2] * (self.kernel_size[side // 2] - 1)
            if pad > reach:
                raise Refusal(f"a transposed convolution cannot cut off {pad} where its kernel reaches {reach}")
        if self.taps * round_up(self.in_channels, TILE) > MOST_WEIGHT_ROWS:
            raise Refusal(f"TTNN does not finish preparing a weight of {self.taps} taps x {self.in_channels} channels")


@dataclass(frozen=True)
class PrepareConvTranspose2dWeights(TransposedConvolution, name="ttnn.prepare_conv_transpose2d_weights"):
    """[I, O / groups, h, w] on the host -> the device form that conv_transpose2d takes: [1, 1, h * w * I, O]."""

    _: KW_ONLY
    weight_tensor: Value
    input_memory_config: MemoryConfig
    input_layout: Layout
    weights_format: Literal["IOHW"]
    has_bias: bool
    input_dtype: DType
    dram_slice_config: Op2DSliceConfig | None = None
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        self.check()
        expected = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        return prepared_weights(self, on_host(self.weight_tensor, expected, "weight_tensor"))


@dataclass(frozen=True)
class PrepareConvTranspose2dBias(Convolution, name="ttnn.prepare_conv_transpose2d_bias"):
    """[1, 1, 1, O] on the host -> the device form that conv_transpose2d takes."""

    slices_field: ClassVar[str] = "dram_slice_config"
    _: KW_ONLY
    bias_tensor: Value
    input_memory_config: MemoryConfig
    input_layout: Layout
    input_dtype: DType
    dram_slice_config: Op2DSliceConfig | None = None
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        return prepared_bias(self, on_host(self.bias_tensor, (1, 1, 1, self.out_channels), "bias_tensor"))


@dataclass(frozen=True)
class ConvTranspose2d(TransposedConvolution, name="ttnn.conv_transpose2d"):
    """Transposed convolution of channels-last rows [1, 1, N * H * W, I] with prepared weights: [1, 1, N * H' * W', O].

    The result's memory must be stated: left out, TTNN would shard it by its own choice.
    """

    _: KW_ONLY
    input_tensor: Value
    weight_tensor: Value
    bias_tensor: Value | None = None
    dtype: DType | None = None
    memory_config: MemoryConfig | None = None
    dram_slice_config: Op2DSliceConfig | None = None
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        self.check()
        return convolved(self, self.input_pixels)

    def dispatch(self, target: Target) -> Dispatch:
        after = self.window.output_pixels, self.window.output[1]
        before = self.input_pixels, self.input_width
        return windowed(self.dram_slice_config, False, before, after) + self.reshards()

    def workspace(self, target: Target) -> Workspace:
        """Return the bound of `sharded_bytes` where slices are stated, else all of L1."""
        if self.dram_slice_config is None:
            return Workspace(circular_buffers=target.l1_bytes)
        return Workspace(circular_buffers=sharded_bytes(self, spec_of(self.input_tensor).dtype, target))
