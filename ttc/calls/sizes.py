"""Sizes in bytes of a tile and of a row, and the two sizes of a shape that lie in tiles."""

from __future__ import annotations

from ttc.ir import TILE, DType, Spec, round_up


def tile_bytes(dtype: DType) -> int:
    """Count the bytes of one 32 x 32 tile."""
    return int(TILE * TILE * dtype.bytes)


def page_bytes(dtype: DType) -> int:
    """Count the bytes of one tile as a call computes with it: block formats are unpacked to bf16."""
    return max(tile_bytes(dtype), tile_bytes(DType.bf16))


def row_bytes(spec: Spec) -> int:
    """Count the bytes of one row as stored, aligned to 64 for the memory controller."""
    width = spec.padded_shape[-1] if spec.rank else 1
    return round_up(int(width * spec.dtype.bytes), 64)


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the last two sizes, 1 where a shape has fewer."""
    height, width = (1, 1, *shape)[-2:]
    return height, width
