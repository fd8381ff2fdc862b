"""The call that adds elements around a tensor's own."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.call import NO_PROGRAM, ONE_CONVERSION, Call, Dispatch, Workspace, accept, spec_of
from ttc.calls.shape import RESHAPABLE
from ttc.calls.sizes import ends_inside_tiles, page_bytes, row_bytes, rows_of
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, MemoryConfig, Spec, Value

PADDABLE = RESHAPABLE - {DType.bfp4}


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

    @property
    def buffered_rows(self) -> int:
        """Return the bytes of L1 that a core takes in ROW_MAJOR at most: three rows of the result."""
        spec = spec_of(self.input_tensor)
        return 3 * row_bytes(replace(spec, shape=(spec.shape[-1] + sum(self.padding[-1]),), layout=Layout.ROW_MAJOR))

    def _in_place(self, result: Spec) -> bool:
        spec = spec_of(self.input_tensor)
        return spec.layout is Layout.TILE and result.padded_shape == spec.padded_shape

    def alias(self) -> Value | None:
        return self.input_tensor if self._in_place(self.infer()) else None

    def dispatch(self, target: Target) -> Dispatch:
        """Count a pad of each outer dimension of more than four, one of the last three (of all four), and a move.

        The pads of outer dimensions keep the memory; where no other follows, the result is copied.
        """
        spec, result = spec_of(self.input_tensor), self.infer()
        outer = sum(map(any, self.padding[:-3])) if spec.rank > 4 else 0
        shape = result.shape[:-3] + spec.shape[-3:] if outer else spec.shape
        moved = ONE_CONVERSION if outer and shape == result.shape and result.memory != spec.memory else NO_PROGRAM
        if spec.layout is Layout.TILE:
            return moved + Dispatch(outer * (1 + ends_inside_tiles(spec.shape))) + padded(shape, result.shape)
        return moved + Dispatch(outer + (shape != result.shape or not outer))

    def workspace(self, target: Target) -> Workspace:
        """Return tiles to fill and to copy; in ROW_MAJOR batches of rows of the result."""
        spec, result = spec_of(self.input_tensor), self.infer()
        if spec.layout is Layout.TILE:
            return Workspace(circular_buffers=6 * page_bytes(spec.dtype))
        row = row_bytes(result)
        return Workspace(circular_buffers=min(max(33 * row, 36 * 1024), 656 * 1024) + 12 * row)


def padded(shape: tuple[int, ...], result: tuple[int, ...]) -> Dispatch:
    """Count the fill of the last tiles, and the copy into more tiles, of a pad in TILE layout."""
    if shape == result:
        return NO_PROGRAM
    grown = shape[:-2] != result[:-2] or any(
        -(-old // TILE) < -(-new // TILE) for old, new in zip(rows_of(shape), rows_of(result), strict=True)
    )
    return Dispatch(ends_inside_tiles(shape) + grown)
