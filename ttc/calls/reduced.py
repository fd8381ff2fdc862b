"""Shapes of reductions, the programs that they take beside one a dimension, and copies of what is reduced."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

from ttc.calls.call import NO_PROGRAM, ONE_PROGRAM, Call, Dispatch, spec_of
from ttc.calls.sizes import same_places, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import TILE, Buffer, DType, Spec, Value

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


def check_dims(shape: tuple[int, ...], dims: tuple[int, ...]) -> None:
    """Refuse dimensions outside the rank."""
    if any(not 0 <= dim < len(shape) for dim in dims):
        raise Refusal(f"dims {list(dims)} are not in a tensor of rank {len(shape)}")


def reduced(shape: tuple[int, ...], dims: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    """Return the shape with `dims` as 1, or without them; Refusal for a dimension outside the rank."""
    check_dims(shape, dims)
    return tuple(1 if i in dims else size for i, size in enumerate(shape) if keep or i not in dims)


def turned(shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
    """Return the shape with an outer dimension and the rows in each other's place."""
    sizes = list(shape)
    sizes[dim], sizes[-2] = sizes[-2], sizes[dim]
    return tuple(sizes)


def squeezed(spec: Spec, dims: tuple[int, ...], keep: bool) -> Dispatch:
    """Count the reshape that takes reduced dimensions of a tiled tensor away, where this is no view."""
    kept, shape = reduced(spec.shape, dims, True), reduced(spec.shape, dims, keep)
    return NO_PROGRAM if same_places(kept, shape, tiled=True) else ONE_PROGRAM


def scratch(call: Call, operand: Value, target: Target, dim: int | None = None) -> tuple[int, ...]:
    """Return the bytes per core of two copies of the operand over all cores, if the operand or the result is in L1.

    With `dim`, the copies have that dimension first.
    """
    spec = spec_of(operand)
    memory = getattr(call, "memory_config", None) or spec.memory
    if Buffer.L1 not in (memory.buffer, spec.memory.buffer):
        return ()
    size = spec.stored_bytes
    if dim is not None:
        shape = [*(1,) * (4 - spec.rank), *spec.shape]
        shape[0], shape[dim - spec.rank] = shape[dim - spec.rank], shape[0]
        size = max(size, replace(spec, shape=tuple(shape)).stored_bytes)
    page = tile_bytes(spec.dtype)
    return (ceil(size / page / target.cores) * page,) * 2
