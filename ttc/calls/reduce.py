"""Reductions, and choices along a dimension.

Workspaces are upper bounds measured on the mock cards: TTNN permutes, pads and reduces in several device
programs, each with its own circular buffers.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from math import ceil, prod
from typing import ClassVar

from ttc.calls.call import (
    EXACT,
    NO_PROGRAM,
    ONE_CONVERSION,
    ONE_PROGRAM,
    Call,
    ComputeKernelConfig,
    Dispatch,
    Workspace,
    accept,
    spec_of,
)
from ttc.calls.pad import padded
from ttc.calls.sizes import ends_inside_tiles, same_places
from ttc.calls.target import Target
from ttc.calls.unary import tiles
from ttc.errors import Refusal
from ttc.ir import TILE, Buffer, DType, Layout, MemoryConfig, Spec, Value, round_up

REDUCIBLE = frozenset({DType.bf16, DType.f32})
COMPARABLE = REDUCIBLE | {DType.i32, DType.u32}
NARROWEST = 64
"""Elements that a line which `topk` searches has at least: TTNN pads others."""
WIDEST_U16 = 65536
"""Longest dimension whose indices fit u16; longer ones need u32."""


@dataclass(frozen=True)
class ReduceCall(Call, abstract=True):
    """A reduction over the dimensions `dim`: TILE in and out, the operand's dtype and memory."""

    input_tensor: Value
    dim: tuple[int, ...]
    keepdim: bool = False
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    dtypes: ClassVar[frozenset[DType]] = COMPARABLE

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, self.dtypes, "input_tensor")
        spec = spec_of(self.input_tensor)
        shape = reduced(spec.shape, self.dim, self.keepdim)
        return replace(spec, shape=shape, memory=self.memory_config or spec.memory)

    one_tile_at_once: ClassVar[bool] = True
    """False where TTNN takes two programs even for rows and columns of one tile of bf16."""
    fast_outside: ClassVar[bool] = False
    """True where TTNN reduces bf16 along other than the last two dimensions without permuting them to the end."""

    def dispatch(self, target: Target) -> Dispatch:
        """Count the fill of padding, a program for each dimension with the permutes of outer ones, and the squeeze."""
        spec = spec_of(self.input_tensor)
        fill = ends_inside_tiles(spec.shape)
        outer = sum(dim < spec.rank - 2 for dim in self.dim)
        inner = len(self.dim) - outer + halved(spec, self.dim, target)
        inner -= self.one_tile_at_once and at_once(spec, self.dim, self.fast_outside)
        if self.fast_outside and spec.dtype is DType.bf16:
            programs = inner + outer + (outer > 0 and fill)  # what was filled is sliced off again
        else:
            programs = inner + 3 * outer
        return Dispatch(fill + programs) + squeezed(spec, self.dim, self.keepdim)

    def workspace(self, target: Target) -> Workspace:
        """Return twenty pages of bf16, eleven of wider dtypes unless many dimensions are permuted."""
        spec = spec_of(self.input_tensor)
        pages = 20 if spec.dtype is DType.bf16 or spec.rank > 4 else 11
        return Workspace(tiles(pages, spec), scratch(self, self.input_tensor, target))


TALL = 20
"""Tiles of a column from which on TTNN adds up its halves first, where that occupies more cores."""


def halved(spec: Spec, dims: tuple[int, ...], target: Target) -> bool:
    """Return whether columns are reduced in two programs: tall ones, of which there are at most half as many as cores.

    Where lines are reduced as well, columns are not halved.
    """
    if spec.rank < 2 or spec.rank - 2 not in dims or spec.rank - 1 in dims:
        return False
    *batch, rows, columns = (-(-size // TILE) if dim >= spec.rank - 2 else size for dim, size in enumerate(spec.shape))
    return rows >= TALL and 2 * prod(batch) * columns <= target.cores


def at_once(spec: Spec, dims: tuple[int, ...], fast_outside: bool) -> bool:
    """Return whether TTNN reduces rows and columns in one program: those of a single tile of bf16.

    The tile is also that which the outer dimensions leave, where TTNN reduces all of them, without permutes.
    """
    if spec.dtype is not DType.bf16 or spec.rank < 2 or not {spec.rank - 2, spec.rank - 1} <= {*dims}:
        return False
    tiles = prod(ceil(size / TILE) for size in spec.shape[-2:])
    if any(dim < spec.rank - 2 for dim in dims):
        return fast_outside and len(dims) == spec.rank and tiles == 1
    return prod(spec.shape[:-2]) * tiles == 1


class Sum(ReduceCall, name="ttnn.sum"):
    """Sum."""

    fast_outside = True


class Mean(ReduceCall, name="ttnn.mean"):
    """Mean."""

    dtypes = REDUCIBLE


class Max(ReduceCall, name="ttnn.max"):
    """Largest element."""


class Min(ReduceCall, name="ttnn.min"):
    """Smallest element."""

    one_tile_at_once = False


@dataclass(frozen=True)
class Prod(Call, name="ttnn.prod"):
    """Product over one dimension: TILE, floating."""

    input_tensor: Value
    dim: int
    keepdim: bool = False
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, REDUCIBLE, "input_tensor")
        spec = spec_of(self.input_tensor)
        shape = reduced(spec.shape, (self.dim,), self.keepdim)
        return replace(spec, shape=shape, memory=self.memory_config or spec.memory)

    def dispatch(self, target: Target) -> Dispatch:
        """Count the fill of padding, the product, and the permutes to the outermost dimension and back."""
        spec = spec_of(self.input_tensor)
        fill = ends_inside_tiles(spec.shape)
        if spec.rank == 1:
            return Dispatch(fill + 1)
        from_end, most = spec.rank - self.dim, 3 if spec.rank <= 4 else 2
        permutes = {1: most, 2: 2, 3: 0}.get(from_end, 0 if spec.rank <= 4 else 2)
        return Dispatch(fill + 1 + permutes) + squeezed(spec, (self.dim,), self.keepdim)

    def workspace(self, target: Target) -> Workspace:
        """Return ten pages, and two permuted copies where the result is in L1."""
        return Workspace(tiles(10, spec_of(self.input_tensor)), scratch(self, self.input_tensor, target))


@dataclass(frozen=True)
class Argmax(Call, name="ttnn.argmax"):
    """Index of the first largest element, u32 in ROW_MAJOR.

    TILE floats along any dimension, ROW_MAJOR integers along the last.
    """

    input_tensor: Value
    dim: int
    keepdim: bool = False
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        if spec.dtype.is_float:
            accept(self.input_tensor, Layout.TILE, REDUCIBLE, "input_tensor")
        else:
            accept(self.input_tensor, Layout.ROW_MAJOR, frozenset({DType.i32, DType.u32, DType.u16}), "input_tensor")
            if self.dim != spec.rank - 1:
                raise Refusal("argmax of integers runs along the last dimension only")
        shape = reduced(spec.shape, (self.dim,), self.keepdim)
        return Spec(DType.u32, shape, Layout.ROW_MAJOR, self.memory_config or spec.memory)

    def dispatch(self, target: Target) -> Dispatch:
        """Count the search; along other than the last two dimensions TTNN finds tiles of indices and untilizes them."""
        outer = self.dim < spec_of(self.input_tensor).rank - 2
        return ONE_PROGRAM + (ONE_CONVERSION if outer else NO_PROGRAM)

    def workspace(self, target: Target) -> Workspace:
        """Return, for floats, operand pages and index rows; for integers, each core's find and part of a row."""
        spec = spec_of(self.input_tensor)
        width = spec.shape[-1]
        if spec.dtype.is_float:
            rows = 2 * round_up(width, TILE) * TILE * int(DType.u32.bytes) if self.dim < spec.rank - 2 else 0
            line = 4 * max(round_up(size, TILE) for size in spec.shape[-2:])
            return Workspace(min(max(rows, 6 * TILE * TILE * 4), target.circular_buffer_end // 2) + line)
        found = round_up(4 * (spec.shape[-2] if spec.rank > 1 else 1), 32)
        return Workspace((2 * target.cores + 1) * found + 16 * ceil(width / target.cores) + 1024)


@dataclass(frozen=True)
class Topk(Call, name="ttnn.topk"):
    """The k largest (or smallest) elements, sorted, and their indices: TILE, floating, in the operand's memory.

    Indices are u16 beside bf16 along dimensions up to 65,536, else u32. `stable` takes the first of equals.
    """

    input_tensor: Value
    k: int
    dim: int
    largest: bool = True
    sorted: bool = True
    _: KW_ONLY
    stable: bool = False

    def infer(self) -> tuple[Spec, Spec]:
        accept(self.input_tensor, Layout.TILE, REDUCIBLE, "input_tensor")
        spec = spec_of(self.input_tensor)
        check_dims(spec.shape, (self.dim,))
        if not 0 < self.k <= spec.shape[self.dim]:
            raise Refusal(f"topk cannot take {self.k} of {spec.shape[self.dim]} elements")
        values = replace(spec, shape=tuple(self.k if i == self.dim else n for i, n in enumerate(spec.shape)))
        return values, replace(values, dtype=self.index_dtype)

    @property
    def index_dtype(self) -> DType:
        """Return the dtype of the indices."""
        spec = spec_of(self.input_tensor)
        return DType.u16 if spec.dtype is DType.bf16 and spec.shape[self.dim] <= WIDEST_U16 else DType.u32

    def dispatch(self, target: Target) -> Dispatch:
        """Count the search, the permutes to the last dimension and back, the pad to 64 elements, fills and slices."""
        spec = spec_of(self.input_tensor)
        shape, last = list(spec.shape), self.dim == spec.rank - 1
        shape[self.dim], shape[-1] = shape[-1], shape[self.dim]
        pad = padded(tuple(shape), (*shape[:-1], max(shape[-1], NARROWEST)))
        shape[-1] = max(shape[-1], NARROWEST)
        slices = 2 if self.k % TILE and not (last and spec.rank == 4) else 0
        return pad + Dispatch(1 + ends_inside_tiles(tuple(shape)) + (0 if last else 3) + slices)

    def workspace(self, target: Target) -> Workspace:
        """Return pages of values and indices: on one core by k; where rows are split over cores, by k and width."""
        spec = spec_of(self.input_tensor)
        pair = int(TILE * TILE * (spec.dtype.bytes + self.index_dtype.bytes))
        taken, across = ceil(self.k / TILE), ceil(spec.shape[self.dim] / TILE)
        buffers = (6 + 3 * taken) * pair
        if self.index_dtype.bytes > spec.dtype.bytes:  # indices of results are converted
            buffers += int((2 + taken) * TILE * TILE * self.index_dtype.bytes)
        if taken <= 2 and across >= 32 and across & (across - 1) == 0:
            buffers = max(buffers, (48 + 16 * taken + 3 * across // 32) * pair)
        return Workspace(buffers, 3 * scratch(self, self.input_tensor, target))


def check_dims(shape: tuple[int, ...], dims: tuple[int, ...]) -> None:
    """Refuse dimensions outside the rank."""
    if any(not 0 <= dim < len(shape) for dim in dims):
        raise Refusal(f"dims {list(dims)} are not in a tensor of rank {len(shape)}")


def reduced(shape: tuple[int, ...], dims: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    """Return the shape with `dims` as 1, or without them; Refusal for a dimension outside the rank."""
    check_dims(shape, dims)
    return tuple(1 if i in dims else size for i, size in enumerate(shape) if keep or i not in dims)


def squeezed(spec: Spec, dims: tuple[int, ...], keep: bool) -> Dispatch:
    """Count the reshape that takes reduced dimensions of a tiled tensor away, where this is no view."""
    kept, shape = reduced(spec.shape, dims, True), reduced(spec.shape, dims, keep)
    return NO_PROGRAM if same_places(kept, shape, tiled=True) else ONE_PROGRAM


def scratch(call: Call, operand: Value, target: Target, dim: int | None = None) -> int:
    """Count the bytes per core of two copies of the operand over all cores, if the operand or the result is in L1.

    With `dim`, the copies have that dimension first.
    """
    spec = spec_of(operand)
    memory = getattr(call, "memory_config", None) or spec.memory
    if Buffer.L1 not in (memory.buffer, spec.memory.buffer):
        return 0
    size = spec.stored_bytes
    if dim is not None:
        shape = [*(1,) * (4 - spec.rank), *spec.shape]
        shape[0], shape[dim - spec.rank] = shape[dim - spec.rank], shape[0]
        size = max(size, replace(spec, shape=tuple(shape)).stored_bytes)
    page = int(TILE * TILE * spec.dtype.bytes)
    return 2 * ceil(size / page / target.cores) * page
