"""Sizes that calls reckon with: bytes of a tile and of a row, and what of a shape lies in tiles."""

from __future__ import annotations

from ttc.ir import TILE, DType, Spec, round_up


def tile_bytes(dtype: DType) -> int:
    """Bytes of one 32 x 32 tile."""
    return int(TILE * TILE * dtype.bytes)


def row_bytes(spec: Spec) -> int:
    """Bytes of one row as stored, aligned to 64 for the memory controller."""
    width = spec.padded_shape[-1] if spec.rank else 1
    return round_up(int(width * spec.dtype.bytes), 64)


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """The last two sizes, 1 where there is none."""
    height, width = (1, 1, *shape)[-2:]
    return height, width
