"""Calls that move elements: reshape, permute, slice; in ROW_MAJOR, or in TILE by whole tiles."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from math import prod
from typing import ClassVar

from ttc.calls.call import (
    FLOATS,
    INTEGERS,
    NO_PROGRAM,
    ONE_CONVERSION,
    ONE_PROGRAM,
    Call,
    Dispatch,
    Workspace,
    accept,
    spec_of,
)
from ttc.calls.sizes import row_bytes, same_places, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, DType, Layout, MemoryConfig, Spec, Value

MOVABLE = FLOATS | INTEGERS
ROOM_FOR_ROWS = 1340 << 10
"""Bytes of L1 for the rows that a reshape in ROW_MAJOR layout holds (the smaller card's L1 sets the limit)."""

ALIGNED = 16
"""Bytes whose multiples TTNN writes to L1 as they are."""

RESHAPABLE = FLOATS | {DType.i32, DType.u32}


@dataclass(frozen=True)
class Reshape(Call, name="ttnn.reshape"):
    """The same elements under another shape; a view where rows, and the tiles of these rows, keep their places.

    With `padded_shape`, that of the operand, the result is a view of the first rows of each tile: the others become
    padding.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    shape: tuple[int, ...]
    _: KW_ONLY
    padded_shape: tuple[int, ...] | None = None
    memory_config: MemoryConfig | None = None
    flexible: ClassVar[bool] = True

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        if self.padded_shape is not None:
            return self._first_rows(spec)
        if prod(self.shape) != spec.numel or min(self.shape, default=0) < 0:
            raise Refusal(f"cannot reshape {list(spec.shape)} to {list(self.shape)}")
        result = replace(spec, shape=self.shape, memory=self.memory_config or spec.memory)
        if not self.is_view:
            accept(self.input_tensor, None, RESHAPABLE, "input_tensor")
        if not self.is_view and not self.fits:
            raise Refusal(f"reshaping {list(spec.shape)} to {list(self.shape)} needs rows that do not fit into L1")
        return result

    def _first_rows(self, spec: Spec) -> Spec:
        result = replace(spec, shape=self.shape)
        same = (self.shape[:-2], self.shape[-1:]) == (spec.shape[:-2], spec.shape[-1:])
        same = same and self.padded_shape == spec.padded_shape
        if spec.layout is not Layout.TILE or self.memory_config not in (None, spec.memory) or not same:
            raise Refusal(f"{list(self.shape)} is not the first rows of {list(spec.shape)} in the same tiles")
        if result.padded_shape != spec.padded_shape or self.shape[-2] > spec.shape[-2]:
            raise Refusal(f"{self.shape[-2]} rows do not fill the tiles of {spec.shape[-2]}")
        return result

    @property
    def fits(self) -> bool:
        """Return whether the rows that a move in ROW_MAJOR layout holds fit into L1."""
        spec = spec_of(self.input_tensor)
        return spec.layout is not Layout.ROW_MAJOR or _held(spec, replace(spec, shape=self.shape)) <= ROOM_FOR_ROWS

    @property
    def is_view(self) -> bool:
        """Return whether the result is the operand's buffer under another name."""
        if self.padded_shape is not None:
            return True
        spec = spec_of(self.input_tensor)
        if self.memory_config not in (None, spec.memory):
            return False
        return same_places(spec.shape, self.shape, spec.layout is Layout.TILE)

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


def _held(source: Spec, result: Spec) -> int:
    """Return the bytes of rows in L1, twice as many where rows of one are whole rows of the other, as measured."""
    read, written = (int(each.shape[-1] * each.dtype.bytes) if each.rank else 0 for each in (source, result))
    longer, shorter = max(read, written), max(1, min(read, written))
    whole = longer % shorter == 0 and (written > read or written % ALIGNED == 0)
    return (4 * read + 2 * written) if whole else (2 * read + written)


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

    @property
    def keeps_order(self) -> bool:
        """Return whether every element stays where it is: in rows, dimensions of one element may change places."""
        spec, moved = spec_of(self.input_tensor), [(place, dim) for place, dim in enumerate(self.dims) if place != dim]
        same = spec.layout is Layout.ROW_MAJOR and self.infer().shape == spec.shape
        return not moved or (same and all(spec.shape[place] == 1 for place, _ in moved))

    @property
    def swaps(self) -> str:
        """Return the two dimensions of N, C, H and W that TTNN's program for transposes swaps, as "HW"; else "".

        Tiles of at most four dimensions of which two neighbours change places take that program.
        """
        moved = [place for place, dim in enumerate(self.dims) if place != dim]
        tiled = spec_of(self.input_tensor).layout is Layout.TILE and len(self.dims) <= len("NCHW")
        if not tiled or len(moved) != 2 or moved[1] != moved[0] + 1:
            return ""
        return "".join("NCHW"[place - len(self.dims)] for place in moved)

    def alias(self) -> Value | None:
        return self.input_tensor if self.keeps_order and self.infer() == self.input_tensor.type else None

    def dispatch(self, target: Target) -> Dispatch:
        return super().dispatch(target) if not self.keeps_order else copied(self.alias())

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
        return all(start % TILE == 0 for start in self.starts[-2:]) and self.stepless

    def alias(self) -> Value | None:
        return self.input_tensor if self.stepless and self.infer() == spec_of(self.input_tensor) else None

    @property
    def stepless(self) -> bool:
        """Return whether all steps are 1: for any other TTNN runs a program, be there but one element."""
        return all(step == 1 for step in self.steps)

    def dispatch(self, target: Target) -> Dispatch:
        """Count the slice; of a vector in tiles TTNN makes rows first, and tiles of the result."""
        if self.stepless and self.infer().shape == self.input_tensor.shape:
            return copied(self.alias())
        vector = self.input_tensor.type.rank == 1 and spec_of(self.input_tensor).layout is Layout.TILE
        return Dispatch(3, 2) if vector else ONE_PROGRAM

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles, or some rows in ROW_MAJOR."""
        spec = spec_of(self.input_tensor)
        if spec.layout is Layout.TILE:
            return Workspace(circular_buffers=2 * tile_bytes(spec.dtype) + 64)
        return Workspace(circular_buffers=max(4 * tile_bytes(spec.dtype), 4 * row_bytes(spec)) + 64)


def copied(alias: Value | None) -> Dispatch:
    """Count the copy that a call makes which changes nothing but the memory; none where it makes a view."""
    return ONE_CONVERSION if alias is None else NO_PROGRAM
