"""Pooling calls."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from ttc.calls.call import EXACT, Call, ComputeKernelConfig, Dispatch, Workspace, accept, spec_of
from ttc.calls.shards import is_sharded
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, windowed
from ttc.calls.target import Target
from ttc.calls.window import Window, shard_rows
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, Buffer, DType, Layout, MemoryConfig, Sharding, Spec, Value


@dataclass(frozen=True)
class Windows(Call, abstract=True):
    """Windows of channels-last rows [1, 1, N * H * W, C]; `padding` is (top, bottom, left, right)."""

    input_tensor: Value
    batch_size: int
    input_h: int
    input_w: int
    channels: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]

    @property
    def window(self) -> Window:
        size = (self.input_h, self.input_w)
        return Window(self.batch_size, size, self.kernel_size, self.stride, self.padding, (1, 1))


@dataclass(frozen=True)
class DilatedWindows(Windows, abstract=True):
    """Windows that may leave elements out, and in ceil mode hang over the end."""

    dilation: tuple[int, int]
    ceil_mode: bool

    @property
    def window(self) -> Window:
        return replace(super().window, dilation=self.dilation, ceil=self.ceil_mode)


@dataclass(frozen=True)
class Pool2d(Windows, abstract=True):
    """One number of each window and channel, of bf16 or bfp8.

    The result's memory, the shard layout that the call works in, and its slices must be stated: left out, TTNN would
    choose them itself. The result is rows, after slices [N, H', W', C].
    """

    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    dram_slice_config: Op2DSliceConfig | None = None
    applied_shard_scheme: Sharding | None = None
    reallocate_halo_output: bool = True
    output_layout: Layout = Layout.ROW_MAJOR
    config_tensor_in_dram: bool = False
    dtype: DType | None = None

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, frozenset({DType.bf16, DType.bfp8}), "input_tensor")
        expected = (1, 1, self.window.pixels, self.channels)
        if self.input_tensor.shape != expected:
            raise Refusal(f"input_tensor must be {list(expected)}, got {self.input_tensor.type}")
        sharded = is_sharded(spec_of(self.input_tensor))
        if None in (self.memory_config, self.dram_slice_config) or (self.applied_shard_scheme is None and not sharded):
            raise Refusal("a pool must state its result's memory, its shard layout and its slices")
        if self.applied_shard_scheme is not None and sharded:
            raise Refusal("a pool of an operand in shards works in their layout, and states none")
        self.check_windows()
        assert self.dram_slice_config is not None
        assert self.memory_config is not None
        self.dram_slice_config.check(self.window)
        rows = (1, 1, self.window.output_pixels) if self.dram_slice_config == WHOLE else self.images
        return Spec(self.dtype or DType.bf16, (*rows, self.channels), self.output_layout, self.memory_config)

    def check_windows(self) -> None:
        """Refuse windows that TTNN refuses, or computes another way."""
        if any(2 * pad > self.kernel_size[side // 2] for side, pad in enumerate(self.padding)):
            raise Refusal(f"padding {list(self.padding)} is more than half of the kernel {list(self.kernel_size)}")

    @property
    def layout(self) -> Sharding:
        """Return the shard layout that the call works in."""
        return self.applied_shard_scheme or spec_of(self.input_tensor).memory.sharding

    @property
    def images(self) -> tuple[int, int, int]:
        """Return the batch, height and width of the result, whose lines TTNN leaves apart after slices."""
        return (self.batch_size, *self.window.output)

    @property
    def moves_halo(self) -> bool:
        """Return whether the halo is moved to the place of the input shard; of an operand in L1 TTNN moves none."""
        return self.reallocate_halo_output and spec_of(self.input_tensor).memory == DRAM

    def dispatch(self, target: Target) -> Dispatch:
        """Count the programs of the window."""
        sharded = is_sharded(spec_of(self.input_tensor)) + is_sharded(self.infer())
        return windowed(self.dram_slice_config, self.moves_halo, (self.window.pixels, self.input_w), sharded=sharded)

    def workspace(self, target: Target) -> Workspace:
        """Return the bound of `pool_bytes` where the pool runs whole, else all of L1.

        An operand or a result in shards is a buffer of its own. Beside such and beside what lies in L1, the buffers
        inside the call have their blocks: the shards of an interleaved operand, the halo, and the shards of an
        interleaved result.
        """
        given, result, layout = spec_of(self.input_tensor), self.infer(), self.layout
        if self.dram_slice_config != WHOLE:
            return Workspace(circular_buffers=target.l1_bytes)
        grid = given.memory.shard.grid if given.memory.shard else target.grid
        held = is_sharded(given), is_sharded(result)
        bound = pool_bytes(self.window, self.channels, layout, grid, held)
        if given.memory.buffer is result.memory.buffer is Buffer.DRAM:
            return Workspace(circular_buffers=bound)
        cores, row = _divided(self.channels, layout, grid)
        here = shard_rows(self.window.output_pixels, cores)
        halo = row * self.window.most_read(here)
        spread = [] if held[0] or self.moves_halo else [row * self.window.input_rows(cores)]
        shards = [] if held[1] else [row * here]
        buffers = (*spread, halo, *shards)
        return Workspace(max(0, bound - sum(buffers)), l1=buffers, apart=not held[1])


@dataclass(frozen=True)
class MaxPool2d(Pool2d, DilatedWindows, name="ttnn.max_pool2d"):
    """Maximum of each window; padding, at most half of the kernel on each side, is left out."""


@dataclass(frozen=True)
class AvgPool2d(Pool2d, name="ttnn.avg_pool2d"):
    """Mean of each image: the windows are the images, each multiplied by 1 / (H * W) in bf16 and summed in fp32.

    TTNN takes a bf16 operand in shards out of them, apart and to a reduction of rows, which would be conversions.
    """

    _: KW_ONLY
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    def check_windows(self) -> None:
        size = (self.input_h, self.input_w)
        if self.kernel_size != size or any(self.padding):
            windows = f"{list(self.kernel_size)} with padding {list(self.padding)}"
            raise Refusal(f"an average is of whole images of {list(size)} pixels, got windows of {windows}")
        if self.dram_slice_config != WHOLE:
            raise Refusal("an average of whole images has no slices")
        given = spec_of(self.input_tensor)
        if is_sharded(given) and given.dtype is DType.bf16:
            raise Refusal("TTNN takes an operand of bf16 out of shards before an average: state a shard layout")


def pool_bytes(
    window: Window, channels: int, layout: Sharding, grid: tuple[int, int], held: tuple[bool, bool] = (False, False)
) -> int:
    """Bound the L1 per core that a bf16 pool run whole takes, buffers and circular buffers, from above, in bytes.

    The terms are the input shard and the result, unless they are `held` in buffers of their own, the halo, and 64 rows
    in fp32; plus a fifth. In block and in width layout TTNN gives each column of cores, or each core, the same number
    of whole tiles of channels. The measured need is 0.4 to 0.9 of the bound over the pools of nine networks.
    """
    cores, row = _divided(channels, layout, grid)
    here = shard_rows(window.output_pixels, cores)
    pixels = shard_rows(window.pixels, cores) * (not held[0]) + window.halo(here) + here * (not held[1])
    return int(1.2 * row * (pixels + 128)) + 24_576


def _divided(channels: int, layout: Sharding, grid: tuple[int, int]) -> tuple[int, int]:
    """Return the cores that pixels are spread over, and the bytes that each of them holds of a pixel."""
    columns, rows = grid
    tiles, cores = -(-channels // TILE), columns * rows
    if layout in (Sharding.BLOCK_SHARDED, Sharding.WIDTH_SHARDED):
        across = columns if layout is Sharding.BLOCK_SHARDED else cores
        tiles //= max(count for count in range(1, across + 1) if tiles % count == 0)
        cores = rows if layout is Sharding.BLOCK_SHARDED else 1
    return cores, tiles * TILE * int(DType.bf16.bytes)
