"""Reductions, and choices along a dimension.

Workspaces are upper bounds measured on the mock cards: TTNN permutes, pads and reduces in several device
programs, each with its own circular buffers.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from math import ceil
from typing import ClassVar

from ttc.calls.banks import in_l1
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
from ttc.calls.reduced import at_once, check_dims, halved, reduced, scratch, squeezed, turned
from ttc.calls.sizes import ends_inside_tiles
from ttc.calls.target import Target
from ttc.calls.unary import tiles
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, MemoryConfig, Spec, Value, round_up

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

    wide: ClassVar[bool] = False
    """True where TTNN keeps what it has reduced of bf16 in fp32."""

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
        return Workspace.in_turn(tiles(pages, spec), in_l1(self._made(target)[:-1], target))

    def _made(self, target: Target) -> list[Spec]:
        """Return what each program makes, the result last; one dimension is reduced after the other, the last first."""
        spec, result = spec_of(self.input_tensor), self.infer()
        fast = self.fast_outside and spec.dtype is DType.bf16
        now, made = replace(spec, memory=result.memory), list[Spec]()
        for dim in sorted(self.dim, reverse=True):
            sums = replace(now, shape=reduced(now.shape, (dim,), True), dtype=self._sums(spec, dim))
            if dim < spec.rank - 2 and not fast:
                made += [replace(each, shape=turned(each.shape, dim)) for each in (now, sums)]
            elif dim == spec.rank - 2 and halved(spec, self.dim, target):
                shape = (*spec.shape[:-2], 2, round_up(spec.shape[-1], TILE))
                partial = DType.f32 if self.wide else spec.dtype
                made.append(replace(now, shape=shape, layout=Layout.ROW_MAJOR, dtype=partial))
            now = sums
            made.append(now)
        outer = min(self.dim, default=spec.rank) < spec.rank - 2
        if self.one_tile_at_once and at_once(spec, self.dim, self.fast_outside):
            del made[0]
        made += [now] * (fast and outer and ends_inside_tiles(spec.shape))  # what was filled is sliced off again
        return [*made, *[result] * squeezed(spec, self.dim, self.keepdim).programs]

    def _sums(self, spec: Spec, dim: int) -> DType:
        """Return the dtype of what is reduced so far: of several dimensions of bf16 fp32 until the last.

        Means over rows and columns stay in bf16.
        """
        narrow = {spec.rank - 2, spec.rank - 1} <= {*self.dim} and not self.fast_outside
        wide = self.wide and spec.dtype is DType.bf16 and dim != min(self.dim) and not narrow
        return DType.f32 if wide else spec.dtype


class Sum(ReduceCall, name="ttnn.sum"):
    """Sum."""

    wide = True
    fast_outside = True


class Mean(ReduceCall, name="ttnn.mean"):
    """Mean."""

    dtypes = REDUCIBLE
    wide = True


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
