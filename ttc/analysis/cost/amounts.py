"""Amounts of what a device program does per core, which constants turn into time; most families are sums of these.

An amount is counted on the core with most work, and its constant is in cycles; but `dram` is the seconds that all
bytes take at DRAM's peak rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from ttc.analysis.cost.work import Card, Tensor, Work
from ttc.calls.sizes import tiles_along
from ttc.ir import Layout, Sharding

Amounts = dict[str, float]


def cores_of(work: Work, card: Card) -> int:
    """Return the cores that work: as told, else up to all, one for each tile, or row where nothing is in tiles.

    Norms and softmax take whole rows of tiles.
    """
    tensors = (*work.inputs[:1], *work.outputs)
    if work.family in ("norm", "softmax") and not work.cores:
        return min(card.cores, max(1, work.inputs[0].tiles // tiles_along(work.inputs[0].shape[-1])))
    tiled = [tensor.tiles for tensor in tensors if tensor.layout is Layout.TILE]
    return work.cores or min(card.cores, max(1, max(tiled or [tensor.rows for tensor in tensors])))


def share(amount: float, work: Work, card: Card) -> int:
    """Return the part of the core with most work."""
    return ceil(amount / cores_of(work, card))


def cores_along(tensor: Tensor, work: Work, card: Card) -> tuple[int, int]:
    """Return the cores that the rows, and those that the columns, of a tensor are divided over."""
    cores = cores_of(work, card)
    if work.get("in_width") or (tensor.local and tensor.sharding is Sharding.WIDTH_SHARDED):
        return 1, cores
    if tensor.local and tensor.sharding is Sharding.BLOCK_SHARDED:
        across = work.get("shard_width") and ceil(tensor.shape[-1] / work.get("shard_width"))
        across = int(across) or max(1, cores // card.grid[1])
        return ceil(cores / across), across
    return cores, 1


def rows_held(tensor: Tensor, work: Work, card: Card) -> int:
    """Return the rows, or parts of rows, of a tensor that a core handles: its shard's, or an equal part."""
    height = work.get("shard_height")
    return ceil(height) if height and tensor.local else ceil(tensor.rows / cores_along(tensor, work, card)[0])


def tile_rows_held(tensor: Tensor, work: Work, card: Card) -> int:
    """Return the rows of tiles, or parts of them, on the core with most."""
    height = work.get("shard_height")
    if height and tensor.local:
        return tiles_along(ceil(height))
    return ceil(tiles_along(tensor.rows) / cores_along(tensor, work, card)[0])


def is_local(tensor: Tensor, work: Work) -> bool:
    """Return whether each core has its part in its own L1: shards of unequal height go the way of other memory."""
    if not tensor.local:
        return False
    height = work.get("shard_height")
    uneven = height and tensor.rows % height and tensor.layout is Layout.TILE
    return not (uneven and tensor.sharding is Sharding.HEIGHT_SHARDED)


def stream(
    given: Sequence[Tensor], made: Sequence[Tensor], work: Work, card: Card, everything: bool = False
) -> Amounts:
    """Count what a core waits for that takes tile by tile from other banks and writes tile by tile.

    A core waits once for the tiles of all operands, and once for those of all results; longer for DRAM than for L1.
    `everything`: shards that are the core's own are read the same way.
    """
    sides = [[x for x in side if everything or not is_local(x, work)] for side in (given, made)]
    counts = [max((tiles_held(x, work, card) for x in side), default=0) for side in sides]
    from_dram = [any(x.dram_bytes for x in side) for side in sides]
    return {
        "fill": int(any(counts)),
        "wait": sum(counts),
        "wait_dram": sum(count for count, slow in zip(counts, from_dram, strict=True) if slow),
        "far_kilobyte": sum(kilobytes_held(x, work, card) for side in sides for x in side),
        **dram((*given, *made), card),
    }


def dram(tensors: Sequence[Tensor], card: Card) -> Amounts:
    """Return the seconds that the bytes of tensors in DRAM take."""
    return {"dram": sum(tensor.dram_bytes for tensor in tensors) / card.dram_bytes_per_second}


def kilobytes_held(tensor: Tensor, work: Work, card: Card) -> float:
    """Return the kilobytes on the core with most: of whole tiles, or of rows."""
    if tensor.layout is Layout.TILE:
        return tiles_held(tensor, work, card) * tensor.tile_bytes / 1024
    rows, across = rows_held(tensor, work, card), cores_along(tensor, work, card)[1]
    return rows * tensor.shape[-1] / across * tensor.dtype.bytes / 1024


def tiles_held(tensor: Tensor, work: Work, card: Card) -> int:
    """Return the 32 x 32 pieces of a tensor, whatever its layout, on the core with most."""
    if not tensor.local:
        return share(tensor.tiles, work, card)
    across = cores_along(tensor, work, card)[1]
    return tile_rows_held(tensor, work, card) * ceil(tiles_along(tensor.shape[-1]) / across)
