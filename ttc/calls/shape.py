"""Calls that move elements: reshape, permute, slice, concat, pad; in ROW_MAJOR, or in TILE by whole tiles."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from math import prod
from typing import ClassVar

from ttc.calls.call import (
    BLOCK_FORMATS,
    FLOATS,
    INTEGERS,
    PLAIN_FLOATS,
    Call,
    Workspace,
    accept,
    one_layout,
    spec_of,
)
from ttc.calls.sizes import page_bytes, row_bytes, rows_of, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, DType, Layout, MemoryConfig, Spec, Value

MOVABLE = FLOATS | INTEGERS
LONGEST_ROW = 640 << 10
"""Bytes of a row that a reshape in ROW_MAJOR layout holds in L1, twice (the smaller card's L1 sets the limit)."""
RESHAPABLE = FLOATS | {DType.i32, DType.u32}
PADDABLE = RESHAPABLE - {DType.bfp4}


@dataclass(frozen=True)
class Reshape(Call, name="ttnn.reshape"):
    """The same elements under another shape; a view where rows, and the tiles of these rows, keep their places."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    shape: tuple[int, ...]
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    flexible: ClassVar[bool] = True

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        if prod(self.shape) != spec.numel or min(self.shape, default=0) < 0:
            raise Refusal(f"cannot reshape {list(spec.shape)} to {list(self.shape)}")
        result = replace(spec, shape=self.shape, memory=self.memory_config or spec.memory)
        if not self.is_view:
            accept(self.input_tensor, None, RESHAPABLE, "input_tensor")
        if (
            not self.is_view
            and spec.layout is Layout.ROW_MAJOR
            and max(row_bytes(spec), row_bytes(result)) > LONGEST_ROW
        ):
            raise Refusal(f"reshaping {list(spec.shape)} to {list(self.shape)} needs rows that do not fit into L1")
        return result

    @property
    def is_view(self) -> bool:
        """Return whether the result is the operand's buffer under another name."""
        spec = spec_of(self.input_tensor)
        if self.memory_config not in (None, spec.memory):
            return False
        (height, width), (new_height, new_width) = rows_of(spec.shape), rows_of(self.shape)
        if width != new_width:
            return False
        if spec.layout is Layout.ROW_MAJOR or height == new_height:
            return True
        return height % TILE == 0 and new_height % TILE == 0

    def alias(self) -> Value | None:
        return self.input_tensor if self.is_view else None

    def workspace(self, target: Target) -> Workspace:
        """Return a source and a result tile with the map between them; in ROW_MAJOR rows, more where unaligned."""
        if self.is_view:
            return Workspace()
        spec = spec_of(self.input_tensor)
        if spec.layout is Layout.TILE:
            return Workspace(circular_buffers=4 * tile_bytes(spec.dtype))
        result = self.infer()
        pages = 8 * (row_bytes(spec) + row_bytes(result)) + 1024
        even = all(int(part.shape[-1] * part.dtype.bytes) % 64 == 0 for part in (spec, result) if part.rank)
        return Workspace(circular_buffers=min(pages if even and result.memory == DRAM else 2 * pages, target.l1_bytes))


@dataclass(frozen=True)
class Permute(Call, name="ttnn.permute"):
    """Dimension i of the result is dimension dims[i] of the operand."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    dims: tuple[int, ...]
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    flexible: ClassVar[bool] = True

    def infer(self) -> Spec:
        accept(self.input_tensor, None, MOVABLE, "input_tensor")
        spec = spec_of(self.input_tensor)
        if sorted(self.dims) != list(range(spec.rank)):
            raise Refusal(f"dims {list(self.dims)} do not permute {list(spec.shape)}")
        shape = tuple(spec.shape[dim] for dim in self.dims)
        return replace(spec, shape=shape, memory=self.memory_config or spec.memory)

    def alias(self) -> Value | None:
        return self.input_tensor if self.dims == tuple(range(len(self.dims))) else None

    def workspace(self, target: Target) -> Workspace:
        """Return blocks of 32 x 32 elements on their way in, turned, and out; or two rows."""
        spec = spec_of(self.input_tensor)
        return Workspace(circular_buffers=max(7 * tile_bytes(spec.dtype), 2 * row_bytes(spec)))


@dataclass(frozen=True)
class Slice(Call, name="ttnn.slice"):
    """Elements x[start:end:step] in every dimension, each step 1 unless given.

    In TILE layout TTNN runs a slice that starts inside a tile, or has a step, as untilize, slice, tilize. ttc refuses
    that and asks for ROW_MAJOR, so that the conversions are seen and shared; likewise in the other calls of this
    file.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    steps: tuple[int, ...] = ()
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", self.steps or (1,) * len(self.starts))

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether TILE layout needs no conversions inside the call."""
        return self.by_tiles

    def infer(self) -> Spec:
        accept(self.input_tensor, None, MOVABLE, "input_tensor")
        spec = spec_of(self.input_tensor)
        bounds = list(zip(self.starts, self.ends, self.steps, spec.shape, strict=True))
        for start, end, step, size in bounds:
            if not (0 <= start < end <= size and step >= 1):
                raise Refusal(f"the slice {start}:{end}:{step} is empty or out of range for {size} elements")
        shape = tuple(-(-(end - start) // step) for start, end, step, _ in bounds)
        if spec.layout is Layout.TILE and not self.by_tiles and shape != spec.shape:
            raise Refusal("in TILE layout ttc slices whole tiles only")
        return replace(spec, shape=shape, memory=self.memory_config or spec.memory)

    @property
    def by_tiles(self) -> bool:
        """Return whether each tile of the result is a tile of the operand, so that TILE layout needs no conversion."""
        return all(start % TILE == 0 for start in self.starts[-2:]) and all(step == 1 for step in self.steps)

    def alias(self) -> Value | None:
        spec = spec_of(self.input_tensor)
        return self.input_tensor if self.infer() == spec else None

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles, or some rows in ROW_MAJOR."""
        spec = spec_of(self.input_tensor)
        if spec.layout is Layout.TILE:
            return Workspace(circular_buffers=2 * tile_bytes(spec.dtype) + 64)
        return Workspace(circular_buffers=max(4 * tile_bytes(spec.dtype), 4 * row_bytes(spec)) + 64)


@dataclass(frozen=True)
class Concat(Call, name="ttnn.concat"):
    """The operands one after another along `dim`; the result goes to DRAM unless stated.

    TILE layout needs operands that end with whole tiles, except for floats along the last dimension: there one device
    program joins rows inside tiles, with 6 tiles of circular buffers for each tile of a row.
    """

    moves: ClassVar[bool] = True
    tensors: tuple[Value, ...]
    dim: int
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether TILE layout needs no conversions inside the call."""
        return not self.cuts_tiles

    def infer(self) -> Spec:
        layout = one_layout(*self.tensors)
        first = spec_of(self.tensors[0])
        for tensor in self.tensors:
            accept(tensor, None, MOVABLE, "an operand")
            if tensor.dtype is not first.dtype:
                raise Refusal(f"concat takes one dtype, got {first.dtype} and {tensor.dtype}")
            rest = (*tensor.shape[: self.dim], *tensor.shape[self.dim + 1 :])
            if tensor.type.rank != first.rank or rest != (*first.shape[: self.dim], *first.shape[self.dim + 1 :]):
                raise Refusal(f"{list(tensor.shape)} does not fit {list(first.shape)} along dimension {self.dim}")
        if layout is Layout.TILE and self.cuts_tiles and not self.merges_rows:
            raise Refusal("in TILE layout ttc concatenates whole tiles only")
        total = sum(tensor.shape[self.dim] for tensor in self.tensors)
        shape = tuple(total if i == self.dim else size for i, size in enumerate(first.shape))
        memory = self.memory_config or (first.memory if len(self.tensors) == 1 else DRAM)
        return Spec(first.dtype, shape, layout, memory)

    def alias(self) -> Value | None:
        return self.tensors[0] if len(self.tensors) == 1 else None

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles or rows; more where rows are joined inside tiles, are not aligned, or are of blocks."""
        result = self.infer()
        tile = tile_bytes(result.dtype)
        if result.layout is Layout.ROW_MAJOR:
            return Workspace(circular_buffers=max(2 * row_bytes(result), 7 * tile))
        whole = 4 if result.dtype in BLOCK_FORMATS else 2
        return Workspace(circular_buffers=(6 * self.row_tiles if self.cuts_tiles else whole) * tile)

    @property
    def merges_rows(self) -> bool:
        """Return whether rows of plain floats are joined, which one device program does even inside tiles."""
        return self.dim == self.tensors[0].type.rank - 1 and self.tensors[0].dtype in PLAIN_FLOATS

    @property
    def row_tiles(self) -> int:
        """Count the tiles in a row of all operands together."""
        return sum(-(-tensor.shape[-1] // TILE) for tensor in self.tensors)

    @property
    def cuts_tiles(self) -> bool:
        """Return whether an operand ends inside a tile along `dim`, so that TILE layout needs conversions."""
        from_end = self.tensors[0].type.rank - self.dim
        return from_end <= 2 and any(tensor.shape[self.dim] % TILE for tensor in self.tensors)


@dataclass(frozen=True)
class Pad(Call, name="ttnn.pad"):
    """The operand with (begin, end) elements of `value` more in each dimension.

    TILE pads at the end only. There the padding inside the last tiles is written in place, so ttc allows no other
    number than 0: a matrix product may read this padding later.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    padding: tuple[tuple[int, int], ...]
    value: float
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether the call runs in either layout."""
        return self.value == 0 and all(begin == 0 for begin, _ in self.padding)

    def infer(self) -> Spec:
        accept(self.input_tensor, None, PADDABLE, "input_tensor")
        spec = spec_of(self.input_tensor)
        if len(self.padding) != spec.rank:
            raise Refusal(f"{len(self.padding)} pairs do not pad {list(spec.shape)}")
        if spec.layout is Layout.TILE and any(begin for begin, _ in self.padding):
            raise Refusal("in TILE layout pad adds at the end only")
        if spec.layout is Layout.TILE and self.value != 0:
            raise Refusal("in TILE layout ttc pads with 0 only")
        shape = tuple(size + begin + end for size, (begin, end) in zip(spec.shape, self.padding, strict=True))
        result = replace(spec, shape=shape, memory=self.memory_config or spec.memory)
        if self._in_place(result) and result.memory != spec.memory:
            raise Refusal("a pad within the last tiles stays in the operand's memory")
        return result

    def _in_place(self, result: Spec) -> bool:
        spec = spec_of(self.input_tensor)
        return spec.layout is Layout.TILE and result.padded_shape == spec.padded_shape

    def alias(self) -> Value | None:
        return self.input_tensor if self._in_place(self.infer()) else None

    def workspace(self, target: Target) -> Workspace:
        """Return tiles to fill and to copy; in ROW_MAJOR batches of rows of the result."""
        spec, result = spec_of(self.input_tensor), self.infer()
        if spec.layout is Layout.TILE:
            return Workspace(circular_buffers=6 * page_bytes(spec.dtype))
        row = row_bytes(result)
        return Workspace(circular_buffers=min(max(33 * row, 36 * 1024), 656 * 1024) + 12 * row)
