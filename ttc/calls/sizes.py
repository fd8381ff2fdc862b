"""Bytes that calls need while they run: tiles, rows, and conversions between the two."""

from __future__ import annotations

from math import prod

from ttc.calls.target import Target
from ttc.ir import DRAM, TILE, DType, Spec, round_up


def tile_bytes(dtype: DType) -> int:
    """Bytes of one 32 x 32 tile."""
    return int(TILE * TILE * dtype.bytes)


def row_bytes(spec: Spec) -> int:
    """Bytes of one row as stored, aligned to 64 for the memory controller."""
    width = spec.padded_shape[-1] if spec.rank else 1
    return round_up(int(width * spec.dtype.bytes), 64)


def conversion_bytes(spec: Spec) -> int:
    """Circular buffers of a conversion between TILE and ROW_MAJOR: some rows of tiles, split when they get long."""
    tiles = -(-(spec.shape[-1] if spec.rank else 1) // TILE)
    return tile_bytes(spec.dtype) * (4 * min(tiles, TILE) + tiles // 8)


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """The last two sizes, 1 where there is none."""
    height, width = (1, 1, *shape)[-2:]
    return height, width


def interim_l1(result: Spec, operand: Spec, target: Target) -> int:
    """Bytes per core of the ROW_MAJOR tensors between the steps of a call that converts within itself.

    They take the result's memory; both the operand's and the result's rows may live at once.
    """
    if result.memory.buffer is DRAM.buffer:
        return 0
    count = sum(-(-int(prod(spec.padded_shape) * spec.dtype.bytes) // target.cores) for spec in (operand, result))
    return count + row_bytes(operand) + row_bytes(result)
