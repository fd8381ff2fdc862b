"""Matrix products."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from math import prod
from typing import Literal, get_args

from ttc.calls.bank_product import banks_workspace, check_banks
from ttc.calls.call import (
    EXACT,
    FLOATS,
    FUSED,
    ONE_PROGRAM,
    Call,
    ComputeKernelConfig,
    CoreGrid,
    Dispatch,
    Workspace,
    accept,
    spec_of,
)
from ttc.calls.column_product import check_columns, sent_from_others
from ttc.calls.program_config import (
    MatmulMultiCoreReuseMultiCast1DProgramConfig,
    MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig,
    ProgramConfig,
    check_config,
)
from ttc.calls.shards import in_banks, is_sharded, matrix_tiles
from ttc.calls.sizes import page_bytes, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, Buffer, DType, Layout, MemoryConfig, Spec, Value

Activation = Literal["relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"]
"""Activations that `linear` takes by name and fuses where a core grid is given."""


@dataclass(frozen=True)
class Matmul(Call, name="ttnn.matmul"):
    """a @ b: TILE, floating; b of rank 2 or with equal or 1-sized batches. The result has a's dtype unless given."""

    input_tensor_a: Value
    input_tensor_b: Value
    _: KW_ONLY
    transpose_a: bool = False
    transpose_b: bool = False
    memory_config: MemoryConfig | None = None
    dtype: DType | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    core_grid: CoreGrid | None = None

    def infer(self) -> Spec:
        shape = product_shape(self.input_tensor_a, self.input_tensor_b, self.transpose_a, self.transpose_b)
        return product_spec(self.input_tensor_a, shape, self.dtype, self.memory_config)

    def dispatch(self, target: Target) -> Dispatch:
        return product_dispatch(self)

    def workspace(self, target: Target) -> Workspace:
        return Workspace(circular_buffers=product_workspace(self, None, target))


@dataclass(frozen=True)
class Linear(Call, name="ttnn.linear"):
    """activation(a @ b + bias): bias is (N,), or (1, ..., 1, N) of no higher rank than a.

    With a core grid, bias and activation are fused in every memory; without one, TTNN adds the bias by a
    second device program where an operand or the result is in L1. A program config holds the grid, the activation, and
    each core's share; tensors in shards need one, and the second operand is a matrix in DRAM: interleaved, or with
    columns over the banks, which configs in two dimensions and those for DRAM shards read.
    """

    input_tensor_a: Value
    input_tensor_b: Value
    _: KW_ONLY
    bias: Value | None = None
    transpose_a: bool = False
    transpose_b: bool = False
    memory_config: MemoryConfig | None = None
    dtype: DType | None = None
    activation: Activation | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    core_grid: CoreGrid | None = None
    program_config: ProgramConfig | None = None

    @property
    def fused(self) -> Activation | None:
        """Return the activation, whether stated as such or in the program config."""
        if self.program_config is None or self.program_config.fused_activation is None:
            return self.activation
        return next(name for name in get_args(Activation) if FUSED.get(name) == self.program_config.fused_activation)

    def infer(self) -> Spec:
        shape = product_shape(self.input_tensor_a, self.input_tensor_b, self.transpose_a, self.transpose_b)
        accept(self.bias, Layout.TILE, FLOATS, "the bias")
        if self.bias is not None and self.bias.type.numel != shape[-1]:
            raise Refusal(f"the bias {list(self.bias.shape)} does not hold {shape[-1]} elements")
        if self.activation not in (None, *get_args(Activation)):
            raise Refusal(f"linear knows no activation {self.activation!r}")
        result = product_spec(self.input_tensor_a, shape, self.dtype, self.memory_config)
        if self.program_config is not None:
            self._check_config(self.program_config, result)
        elif any(map(is_sharded, (result, spec_of(self.input_tensor_a), spec_of(self.input_tensor_b)))):
            raise Refusal("a product of tensors in shards must state its program config")
        return result

    def _check_config(self, config: ProgramConfig, result: Spec) -> None:
        if self.core_grid is not None or self.activation is not None:
            raise Refusal("a program config holds the grid and the activation")
        if self.transpose_a or self.transpose_b or any(size != 1 for size in self.input_tensor_b.shape[:-2]):
            raise Refusal("a product by a program config takes a matrix as second operand, and transposes nothing")
        if config.fused_activation is not None and config.fused_activation not in FUSED.values():
            raise Refusal(f"linear knows no activation {config.fused_activation.op_type!r} with that number")
        weight = spec_of(self.input_tensor_b)
        if isinstance(config, MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig):
            check_banks(config, spec_of(self.input_tensor_a), weight, self.bias and spec_of(self.bias), result)
            return
        by_rows = isinstance(config, MatmulMultiCoreReuseMultiCast1DProgramConfig)
        if is_sharded(weight) and (by_rows or not in_banks(weight)):
            raise Refusal("a product by blocks reads weights that are interleaved, or in columns over banks of DRAM")
        rows, columns = matrix_tiles(result)
        check_config(config, rows, matrix_tiles(spec_of(self.input_tensor_a))[1], columns)
        if isinstance(config, MatmulMultiCoreReuseMultiCast1DProgramConfig) and config.mcast_in0:
            check_columns(config, spec_of(self.input_tensor_a), result)

    def dispatch(self, target: Target) -> Dispatch:
        """Count the product, and without a core grid the activation and, beside L1, the bias."""
        if self.program_config is not None:
            return ONE_PROGRAM
        if self.core_grid is not None:
            return product_dispatch(self)
        added = self.bias is not None and touches_l1(self)
        return product_dispatch(self) + Dispatch(added + (self.activation is not None))

    def workspace(self, target: Target) -> Workspace:
        if self.program_config is not None:
            return Workspace(circular_buffers=configured_workspace(self, self.program_config))
        return Workspace(circular_buffers=product_workspace(self, self.bias, target))


def configured_workspace(call: Linear, config: ProgramConfig) -> int:
    """Count the bytes of circular buffers per core of a product with a program config.

    A core has strips of both operands, twice where several come one after another; its block of the result in fp32,
    and in the result's own memory or, interleaved, in a buffer beside; and its part of the bias. Rows in shards are
    read where they lie, by columns they are sent.
    """
    x, weight, result = spec_of(call.input_tensor_a), spec_of(call.input_tensor_b), call.infer()
    if isinstance(config, MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig):
        return banks_workspace(config, x, weight, call.bias and spec_of(call.bias), result)
    by_rows = isinstance(config, MatmulMultiCoreReuseMultiCast1DProgramConfig) and not config.mcast_in0
    rows = 0 if by_rows and is_sharded(x) else config.block_rows
    strips = (1 if config.in0_block_w == matrix_tiles(x)[1] else 2) * config.in0_block_w
    needed = strips * (rows * tile_bytes(x.dtype) + config.block_columns * tile_bytes(weight.dtype))
    needed += sent_from_others(config, x, matrix_tiles(result)[1])
    block = config.block_rows * config.block_columns
    needed += block * tile_bytes(DType.f32) if result.dtype is not DType.f32 or not is_sharded(result) else 0
    needed += block * tile_bytes(result.dtype) if result.dtype is not DType.f32 and not is_sharded(result) else 0
    return needed + (config.block_columns * tile_bytes(call.bias.dtype) if call.bias is not None else 0)


def product_shape(a: Value, b: Value, transpose_a: bool, transpose_b: bool) -> tuple[int, ...]:
    """Return the shape of a @ b by TTNN's rules: equal batches, or one side's batches all 1 or absent."""
    accept(a, Layout.TILE, FLOATS, "input_tensor_a")
    accept(b, Layout.TILE, FLOATS, "input_tensor_b")
    left, right = list(a.shape), list(b.shape)
    if min(len(left), len(right)) < 2:
        raise Refusal(f"matmul needs at least 2 dimensions, got {left} and {right}")
    if transpose_a:
        left[-2:] = left[:-3:-1]
    if transpose_b:
        right[-2:] = right[:-3:-1]
    if left[-1] != right[-2]:
        raise Refusal(f"inner sizes differ: {left[-1]} and {right[-2]}")
    batch_a, batch_b = left[:-2], right[:-2]
    if all(size == 1 for size in batch_b) and len(batch_b) <= len(batch_a):
        return (*batch_a, left[-2], right[-1])
    if len(batch_a) != len(batch_b) or (batch_a != batch_b and any(size != 1 for size in batch_a)):
        raise Refusal(f"matmul cannot broadcast batches {batch_a} and {batch_b}")
    return (*batch_b, left[-2], right[-1])


def product_spec(a: Value, shape: tuple[int, ...], dtype: DType | None, memory: MemoryConfig | None) -> Spec:
    """Return the result's spec: a's dtype and DRAM unless stated."""
    return Spec(dtype or spec_of(a).dtype, shape, Layout.TILE, memory or DRAM)


SMALL = 8
"""Tiles of a side up to which TTNN takes its simplest program for products beside L1, which transposes nothing."""


def product_dispatch(call: Matmul | Linear) -> Dispatch:
    """Count a product, and the transposes before one that runs by TTNN's simplest program."""
    small = all(size <= SMALL * TILE for size in call.infer().shape[-2:])
    simple = call.core_grid is None and small and touches_l1(call)
    return Dispatch(1 + (call.transpose_a + call.transpose_b if simple else 0))


def touches_l1(call: Matmul | Linear) -> bool:
    """Return whether an operand of the product, or the result, is in L1."""
    specs = (spec_of(call.input_tensor_a), spec_of(call.input_tensor_b), call.infer())
    return any(spec.memory.buffer is Buffer.L1 for spec in specs)


NARROW = 8
"""Ratio of sides, cut to a whole number, beyond which TTNN gives each core whole rows or columns of the result."""


def product_workspace(call: Matmul | Linear, bias: Value | None, target: Target) -> int:
    """Count the bytes of circular buffers per core, from TTNN's division of a product over the cores.

    A core has a block of the result, in fp32 and in the result's format if that format is another, and twice a strip
    of each operand. TTNN cuts blocks that are too large for L1, so that the limit is the bound.
    """
    result = call.infer()
    rows, columns, strip = _block(call, result, target)
    first, second = tile_bytes(call.input_tensor_a.dtype), tile_bytes(call.input_tensor_b.dtype)
    needed = 2 * strip * (rows * first + columns * second)
    needed += rows * columns * (page_bytes(result.dtype) if result.dtype is not DType.f32 else 0)
    needed += rows * columns * tile_bytes(DType.f32)
    needed += columns * tile_bytes(bias.dtype) if bias is not None else 0
    return min(needed, target.l1_bytes)


def _block(call: Matmul | Linear, result: Spec, target: Target) -> tuple[int, int, int]:
    """Return the tile rows and columns that a core computes at a time, and the depth of its operands' strips."""
    inner = call.input_tensor_a.shape[-2 if call.transpose_a else -1]
    height, width, depth = -(-result.shape[-2] // TILE), -(-result.shape[-1] // TILE), -(-inner // TILE)
    if any(size != 1 for size in call.input_tensor_b.shape[:-2]):
        return min(height, 8), min(width, 8), 4
    height *= prod(result.shape[:-2])
    columns, rows = target.grid
    narrow = max(height, width) // min(height, width) > NARROW or min(height, width) == 1
    strip = min(depth, 2 if narrow else 4) if call.core_grid else max(4, -(-depth // columns))
    if not narrow:
        return -(-height // rows), -(-width // columns), strip
    if width > height:
        return height, -(-width // target.cores), strip
    return -(-height // target.cores), width, strip
