"""Sizes in bytes of a tile and of a row, tiles of a shape, and the two sizes of a shape that lie in tiles."""

from __future__ import annotations

from math import prod

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


def tiles_along(size: int) -> int:
    """Count the tiles along a side of `size` elements."""
    return -(-size // TILE)


def count_tiles(shape: tuple[int, ...]) -> int:
    """Count the 32 x 32 tiles that hold a shape."""
    *batch, rows, columns = (1, 1, *shape)
    return prod(batch) * tiles_along(rows) * tiles_along(columns)


def ends_inside_tiles(shape: tuple[int, ...]) -> bool:
    """Return whether the last tiles of a tensor hold padding."""
    return any(size % TILE for size in rows_of(shape))


def same_places(old: tuple[int, ...], new: tuple[int, ...], tiled: bool) -> bool:
    """Return whether each row, and each tile of rows, keeps its place where a tensor takes another shape."""
    (height, width), (new_height, new_width) = rows_of(old), rows_of(new)
    if width != new_width:
        return False
    return not tiled or height == new_height or (height % TILE == 0 and new_height % TILE == 0)


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the last two sizes, 1 where a shape has fewer."""
    height, width = (1, 1, *shape)[-2:]
    return height, width
