"""Convolutions, and the preparation of their weights that runs once at set-up."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal

from ttc.calls.call import NO_PROGRAM, Dispatch, Workspace, spec_of
from ttc.calls.conv_bytes import halo_bytes, result_bytes, shard_bytes, sharded_bytes
from ttc.calls.convolution import Convolution, convolved, on_host, prepared_bias, prepared_weights
from ttc.calls.shards import is_sharded, own_shards
from ttc.calls.slicing import Op2DSliceConfig, is_reshaped, windowed
from ttc.calls.target import L1_ALIGNMENT, Target
from ttc.calls.window import shard_rows
from ttc.ir import Buffer, DType, Layout, MemoryConfig, Sharding, Spec, Value


@dataclass(frozen=True)
class PrepareConvWeights(Convolution, name="ttnn.prepare_conv_weights"):
    """[O, I / groups, h, w] on the host -> the device form that conv2d takes: [1, 1, h * w * I, O].

    Groups become one dense matrix, zero outside its blocks. The order of its rows is known to TTNN alone.
    """

    _: KW_ONLY
    weight_tensor: Value
    input_memory_config: MemoryConfig
    input_layout: Layout
    weights_format: Literal["OIHW"]
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
        return convolved(self, self.window.pixels)

    def dispatch(self, target: Target) -> Dispatch:
        if self.conv_config.folded:
            return self._folded()
        before = self.window.pixels, self.input_width
        after = self.window.output_pixels, self.window.output[1]
        sharded = is_sharded(spec_of(self.input_tensor)) + is_sharded(self.infer())
        programs = windowed(self.slices, not self.keeps_input, before, after, sharded=sharded)
        return programs + self._moved_slices(target) + self.reshards()

    def _moved_slices(self, target: Target) -> Dispatch:
        """Count the ways of slices to other shards: two programs, one of them a conversion, for each that is moved.

        A slice is read into block shards on all rows of cores that are stated; one whose results need fewer is moved.
        """
        if self.slices is None or self.whole or self.conv_config.shard_layout is not Sharding.BLOCK_SHARDED:
            return NO_PROGRAM
        rows = self.shard_cores(target.grid)
        moved = sum(
            count
            for part, count in self.slices.counted_parts(self.window)
            if -(-part.output_pixels // shard_rows(part.output_pixels, rows)) < rows
        )
        return Dispatch(2 * moved, moved)

    def _folded(self) -> Dispatch:
        """Count the reshape into lines, the way to rows, the fold, the way back, the product and its activation."""
        extra = is_reshaped(self.window.pixels, self.input_width) + (self.conv_config.activation is not None)
        # pixels of whole alignments are folded as they are
        untilized = int(self.in_channels * spec_of(self.input_tensor).dtype.bytes) % L1_ALIGNMENT > 0
        return Dispatch(3 + extra + untilized, 1 + untilized)

    def workspace(self, target: Target) -> Workspace:
        """Return the bound of `sharded_bytes` where slices and shards are stated, else all of L1.

        An operand or a result in shards is a buffer of its own, which that bound holds too; the operand as long as
        the halo does not take its place. Beside such and beside what lies in L1, the buffers inside the call have their
        blocks: the shards of an interleaved operand, the halo, and the shards of an interleaved result.
        """
        if self.slice_config is None or self.conv_config.folded:
            return Workspace(circular_buffers=target.l1_bytes)
        given, result = spec_of(self.input_tensor), self.infer()
        bound = sharded_bytes(self, given.dtype, target)
        if not self.whole or given.memory.buffer is result.memory.buffer is Buffer.DRAM:
            return Workspace(circular_buffers=bound)
        halo = halo_bytes(self, given.dtype, target)
        spread = [] if is_sharded(given) else [shard_bytes(self, given.dtype, target)]
        shards = [] if is_sharded(result) else [result_bytes(self, result.dtype, target)]
        held, buffers = own_shards(result, *([given] if self.keeps_input else [])), (*spread, halo, *shards)
        return Workspace(max(0, bound - held - sum(buffers)), l1=buffers, passing=len(spread), apart=bool(shards))
