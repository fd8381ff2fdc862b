"""The call that joins tensors: in ROW_MAJOR, or in TILE by whole tiles and, of floats, by rows inside tiles."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.banks import in_l1
from ttc.calls.call import (
    BLOCK_FORMATS,
    NO_PROGRAM,
    ONE_CONVERSION,
    PLAIN_FLOATS,
    Call,
    Dispatch,
    Workspace,
    accept,
    one_layout,
    spec_of,
)
from ttc.calls.shape import MOVABLE
from ttc.calls.sizes import row_bytes, rows_of, tile_bytes
from ttc.calls.target import L1_ALIGNMENT, Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, Buffer, Layout, MemoryConfig, Spec, Value

WIDEST_ROW = 131_072
"""Bytes of a row of tiles up to which floats that end inside tiles are joined there: 64 tiles of bf16.

TTNN brings rows that do not fit into the free L1 six times to ROW_MAJOR layout and back.
"""
JOINED = 47
"""Tensors that one device program concatenates."""
MERGED = 32
"""Tensors that one device program joins inside tiles; of more TTNN brings each to ROW_MAJOR layout and back."""


@dataclass(frozen=True)
class Concat(Call, name="ttnn.concat"):
    """The operands one after another along `dim`; the result goes to DRAM unless stated.

    TILE layout needs operands that end with whole tiles, except for up to 32 of floats along the last dimension: there
    one device program joins rows inside tiles, with 6 tiles of circular buffers for each tile of a row.
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

    def dispatch(self, target: Target) -> Dispatch:
        """Count the joins of at most 47 tensors, and the ways of vectors in tiles to rows, of unaligned to columns."""
        count = len(self.tensors)
        if count == 1:
            return NO_PROGRAM
        groups, rest = divmod(count, JOINED)
        joins = Dispatch(1 if count <= JOINED else groups + (rest > 1) + 1)
        if self.dim != self.tensors[0].type.rank - 1:
            return joins
        specs = [spec_of(tensor) for tensor in self.tensors]
        tiled = specs[0].layout is Layout.TILE
        if tiled and specs[0].rank > 1:
            return joins
        around = (count + 1) * ONE_CONVERSION if tiled else NO_PROGRAM
        if all(is_aligned(spec, target) for spec in specs):
            return joins + around
        moved = sum(spec.rank > 4 or rows_of(spec.shape) != (1, 1) for spec in specs)
        return joins + around + Dispatch(1 + moved)

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles or rows; more where rows are joined inside tiles, are not aligned, or are of blocks."""
        result = self.infer()
        tile = tile_bytes(result.dtype)
        if result.layout is Layout.ROW_MAJOR:
            return Workspace(max(2 * row_bytes(result), 7 * tile), self._columns(result, target))
        whole = 4 if result.dtype in BLOCK_FORMATS else 2
        return Workspace(circular_buffers=(6 * self.row_tiles if self.cuts_tiles else whole) * tile)

    def _columns(self, result: Spec, target: Target) -> tuple[int, ...]:
        """Return the bytes per core of what lies in L1 by columns, a page each: rows off the alignment are turned."""
        specs = [spec_of(tensor) for tensor in self.tensors]
        if self.dim != result.rank - 1 or all(is_aligned(spec, target) for spec in specs):
            return ()
        rows = rows_of(result.shape)[0]
        return in_l1((replace(spec, shape=(spec.numel // max(rows, 1), rows)) for spec in (*specs, result)), target)

    @property
    def merges_rows(self) -> bool:
        """Return whether rows of plain floats are joined, which one device program does even inside tiles."""
        last = self.dim == self.tensors[0].type.rank - 1
        dtype = self.tensors[0].dtype
        few = len(self.tensors) <= MERGED and self.row_tiles * tile_bytes(dtype) <= WIDEST_ROW
        return last and few and dtype in PLAIN_FLOATS

    @property
    def row_tiles(self) -> int:
        """Count the tiles in a row of all operands together."""
        return sum(-(-tensor.shape[-1] // TILE) for tensor in self.tensors)

    @property
    def cuts_tiles(self) -> bool:
        """Return whether an operand ends inside a tile along `dim`, so that TILE layout needs conversions."""
        from_end = self.tensors[0].type.rank - self.dim
        return from_end <= 2 and any(tensor.shape[self.dim] % TILE for tensor in self.tensors)


def is_aligned(spec: Spec, target: Target) -> bool:
    """Return whether a tensor's rows fill the memory between their beginnings."""
    alignment = L1_ALIGNMENT if spec.memory.buffer is Buffer.L1 else target.dram_alignment
    return int(spec.shape[-1] * spec.dtype.bytes) % alignment == 0
