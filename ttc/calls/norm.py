"""Normalisations and softmax: TILE, floating; the result in the operand's dtype and memory."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from ttc.calls.call import EXACT, FLOATS, Call, ComputeKernelConfig, Workspace, accept, spec_of
from ttc.calls.program_config import SUBBLOCK, divisor
from ttc.calls.shards import Grid
from ttc.calls.sizes import page_bytes, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, MemoryConfig, Sharding, Spec, Value, round_up


@dataclass(frozen=True)
class LayerNormShardedMultiCoreProgramConfig:
    """A norm of shards: a core holds `block_h` x `block_w` tiles, and cores that share rows share sums of squares."""

    compute_with_storage_grid_size: Grid
    subblock_w: int
    block_h: int
    block_w: int
    inplace: bool


NORMALISED = FLOATS - {DType.bfp4}
FLOAT_TILE = tile_bytes(DType.f32)


@dataclass(frozen=True)
class LayerNorm(Call, name="ttnn.layer_norm"):
    """(x - mean) / sqrt(var + epsilon) * weight + bias over the last dimension; weight and bias hold D elements.

    x is the operand, plus the residual if there is one: added in fp32, of the same shape.
    """

    input_tensor: Value
    _: KW_ONLY
    epsilon: float = 1e-12
    weight: Value | None = None
    bias: Value | None = None
    residual_input_tensor: Value | None = None
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    program_config: LayerNormShardedMultiCoreProgramConfig | None = None

    def infer(self) -> Spec:
        check_residual(self.input_tensor, self.residual_input_tensor)
        check_shards(self)
        return normalised(self.input_tensor, self.memory_config, self.weight, self.bias)

    def workspace(self, target: Target) -> Workspace:
        """Return a row of tiles of each operand, x - mean and its square in fp32; long rows are cut into blocks."""
        if self.program_config is not None:
            return shards_workspace(self, self.program_config, (self.weight, self.bias), 2)
        return norm_workspace(self, (self.weight, self.bias), 2 * FLOAT_TILE, 14 * FLOAT_TILE, target)


@dataclass(frozen=True)
class RmsNorm(Call, name="ttnn.rms_norm"):
    """x / sqrt(mean(x^2) + epsilon) * weight over the last dimension; operands as of `LayerNorm`."""

    input_tensor: Value
    _: KW_ONLY
    epsilon: float = 1e-12
    weight: Value | None = None
    residual_input_tensor: Value | None = None
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    program_config: LayerNormShardedMultiCoreProgramConfig | None = None

    def infer(self) -> Spec:
        check_residual(self.input_tensor, self.residual_input_tensor)
        check_shards(self)
        return normalised(self.input_tensor, self.memory_config, self.weight)

    def workspace(self, target: Target) -> Workspace:
        """Return the circular buffers of `LayerNorm` without x - mean."""
        if self.program_config is not None:
            return shards_workspace(self, self.program_config, (self.weight,), 1)
        return norm_workspace(self, (self.weight,), FLOAT_TILE, 12 * FLOAT_TILE, target)


LONG_ROWS = 800 * 1024
"""Most bytes per core of TTNN's norms once a row's tiles do not fit and the norms work in blocks."""


def normalised(x: Value, memory: MemoryConfig | None, *parameters: Value | None) -> Spec:
    """Return the spec of a norm over x's last dimension."""
    accept(x, Layout.TILE, NORMALISED, "input_tensor")
    for parameter in parameters:
        accept(parameter, Layout.TILE, NORMALISED, "weight and bias")
        if parameter is not None and (parameter.type.numel, *parameter.shape[-1:]) != (x.shape[-1], x.shape[-1]):
            raise Refusal(f"weight and bias must hold {x.shape[-1]} elements, got {list(parameter.shape)}")
    spec = spec_of(x)
    return replace(spec, memory=memory or spec.memory)


def normalised_along(x: Value, dim: int, memory: MemoryConfig | None) -> Spec:
    """Return the spec of a norm over one of x's dimensions, counted from the first."""
    if not 0 <= dim < x.type.rank:
        raise Refusal(f"dim {dim} is not in a tensor of rank {x.type.rank}")
    return normalised(x, memory)


def check_residual(x: Value, residual: Value | None) -> None:
    """Refuse a residual whose shape is not exactly x's."""
    accept(residual, Layout.TILE, NORMALISED, "the residual")
    if residual is not None and residual.shape != x.shape:
        raise Refusal(f"the residual {list(residual.shape)} must have the shape of the input, {list(x.shape)}")


def norm_workspace(
    call: LayerNorm | RmsNorm, parameters: tuple[Value | None, ...], interim: int, fixed: int, target: Target
) -> Workspace:
    """Return `interim` bytes for each tile of a row beside the operands' own, `fixed` ones, and blocks of 8 tiles."""
    x = spec_of(call.input_tensor)
    own = tile_bytes(x.dtype)
    present = [tile_bytes(parameter.dtype) for parameter in parameters if parameter is not None]
    held, added = (own, 0) if call.residual_input_tensor is None else (FLOAT_TILE, 16 * own)
    needed = round_up(-(-x.shape[-1] // TILE), 4) * (held + interim + sum(present))
    needed += 8 * own + fixed + added + (8 * FLOAT_TILE if present else 0)
    return Workspace(circular_buffers=needed if needed <= target.l1_bytes - 65536 else LONG_ROWS)


def shards_config(memory: MemoryConfig) -> LayerNormShardedMultiCoreProgramConfig:
    """Return the program config of a norm of block or width shards, the only one that fits them."""
    if memory.sharding not in (Sharding.BLOCK_SHARDED, Sharding.WIDTH_SHARDED) or memory.shard is None:
        raise Refusal("a norm takes shards by blocks or by columns only")
    height, width = (size // TILE for size in memory.shard.shape)
    return LayerNormShardedMultiCoreProgramConfig(memory.shard.grid, divisor(width, SUBBLOCK), height, width, False)


def check_shards(call: LayerNorm | RmsNorm) -> None:
    """Refuse shards without their program config, with operands or result elsewhere, or with rows of parts of tiles."""
    x = spec_of(call.input_tensor)
    present = [value for value in (call.input_tensor, call.residual_input_tensor) if value is not None]
    memories = {*(spec_of(value).memory for value in present), call.memory_config or x.memory}
    if all(memory.sharding is Sharding.INTERLEAVED for memory in memories):
        if call.program_config is not None:
            raise Refusal("the program config of a norm is for shards")
        return
    if len(memories) > 1:
        raise Refusal("operands and result of a norm of shards lie in one memory")
    if call.program_config != shards_config(x.memory):
        raise Refusal(f"a norm of these shards must state {shards_config(x.memory)}")
    if x.shape[-1] % TILE:
        raise Refusal(f"the rows of a norm of shards are whole tiles, not {x.shape[-1]} elements")


def shards_workspace(
    call: LayerNorm | RmsNorm,
    config: LayerNormShardedMultiCoreProgramConfig,
    parameters: tuple[Value | None, ...],
    sums: int,
) -> Workspace:
    """Return two fp32 copies of the shard, a row of each parameter, and the tiles of `sums` sums, in fp32 too.

    A core holds those of its own rows, twice, and one from each core in the line; where several lines of cores share a
    row of tiles, the first core of each gives its line's sums to the others.
    """
    columns, lines = config.compute_with_storage_grid_size
    if spec_of(call.input_tensor).memory.sharding is Sharding.BLOCK_SHARDED:
        lines = 1
    tiles = config.block_h * (2 * config.block_w + 2 * sums + 1) + sums * (columns + lines - 1) + 3
    present = sum(tile_bytes(parameter.dtype) for parameter in parameters if parameter is not None)
    return Workspace(circular_buffers=tiles * FLOAT_TILE + config.block_w * present)


@dataclass(frozen=True)
class Softmax(Call, name="ttnn.softmax"):
    """exp(x - max) / sum(exp(x - max)) along `dim`, the maximum subtracted if `numeric_stable`."""

    input_tensor: Value
    dim: int
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    numeric_stable: bool = True

    def infer(self) -> Spec:
        return normalised_along(self.input_tensor, self.dim, self.memory_config)

    def workspace(self, target: Target) -> Workspace:
        """Return a row (or column) of tiles with its exponentials in fp32, at most TTNN's bytes for long rows."""
        spec = spec_of(self.input_tensor)
        if self.dim != spec.rank - 1:
            return Workspace(circular_buffers=line_workspace(spec, self.dim))
        tiles = round_up(-(-spec.shape[-1] // TILE), 4)
        each = max(tile_bytes(spec.dtype) + FLOAT_TILE, 2 * FLOAT_TILE if spec.shape[-1] % TILE else 0)
        needed = tiles * each + 16 * tile_bytes(spec.dtype) + (5 * FLOAT_TILE if spec.shape[-1] % TILE else 0)
        return Workspace(circular_buffers=min(needed, target.l1_bytes))


@dataclass(frozen=True)
class LogSoftmax(Call, name="ttnn.moreh_logsoftmax"):
    """x - max - log(sum(exp(x - max))) along `dim`."""

    input_tensor: Value
    _: KW_ONLY
    dim: int
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    def infer(self) -> Spec:
        return normalised_along(self.input_tensor, self.dim, self.memory_config)

    def workspace(self, target: Target) -> Workspace:
        return Workspace(circular_buffers=line_workspace(spec_of(self.input_tensor), self.dim))


def line_workspace(x: Spec, dim: int) -> int:
    """Count the bytes of moreh's softmax for a line of tiles along `dim`: at most 512 KiB, in blocks beyond."""
    count = -(-x.shape[dim] // TILE) if dim >= x.rank - 2 else 1
    each = 2 * tile_bytes(x.dtype) + 2 * FLOAT_TILE
    return min(count * each + 3 * page_bytes(x.dtype) + 3 * FLOAT_TILE, 512 * 1024)
