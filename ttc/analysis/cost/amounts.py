"""Amounts of what a device program does per core, which constants turn into time; most families are sums of these.

An amount is counted on the core with most work, and its constant is in cycles; but `dram` is the seconds that all
bytes take at DRAM's peak rate.
"""

from __future__ import annotations

from math import ceil, prod

from ttc.analysis.cost.work import Card, Tensor, Work
from ttc.ir import Layout, Sharding

Amounts = dict[str, float]


def cores_of(work: Work, card: Card) -> int:
    """Return the cores that work: as told, else one for each tile, or row where nothing is in tiles, up to all."""
    tensors = (*work.inputs[:1], *work.outputs)
    tiled = [tensor.tiles for tensor in tensors if tensor.layout is Layout.TILE]
    return work.cores or min(card.cores, max(1, max(tiled or [tensor.rows for tensor in tensors])))


def share(amount: float, work: Work, card: Card) -> int:
    """Return the part of the core with most work."""
    return ceil(amount / cores_of(work, card))


def rows_held(tensor: Tensor, work: Work, card: Card) -> int:
    """Return the rows of a tensor that a core handles: its shard's, or an equal part."""
    height = work.get("shard_height")
    return ceil(height) if height and tensor.local else share(tensor.rows, work, card)


def is_local(tensor: Tensor, work: Work) -> bool:
    """Return whether each core has its part in its own L1: shards of unequal height go the way of other memory."""
    if not tensor.local:
        return False
    height = work.get("shard_height")
    uneven = height and tensor.rows % height and tensor.layout is Layout.TILE
    return not (uneven and tensor.sharding is Sharding.HEIGHT_SHARDED)


def remote(tensors: tuple[Tensor, ...], work: Work, card: Card, everything: bool = False) -> Amounts:
    """Return the tiles that a core reads from or writes to other banks, all kilobytes, and the time of DRAM.

    `everything`: shards that are the core's own are read the same way.
    """
    far = [tensor for tensor in tensors if everything or not is_local(tensor, work)]
    tiles = [tensor for tensor in far if tensor.layout is Layout.TILE]
    moved = sum(tensor.dram_bytes for tensor in tensors)
    return {
        "page": sum(share(tensor.tiles, work, card) for tensor in tiles),
        "far_kilobyte": sum(tensor.bytes for tensor in far) / cores_of(work, card) / 1024,
        "dram": moved / card.dram_bytes_per_second,
    }


def tiles_held(tensor: Tensor, work: Work, card: Card) -> int:
    """Return the 32 x 32 pieces of a tensor, whatever its layout, on the core with most."""
    return share(tensor.tiles, work, card)


def window_depth(work: Work) -> int:
    """Return the tiles along the depth of a convolution as a product: the prepared weights' rows."""
    return ceil(work.inputs[1].shape[-2] / 32)


def batches(tensor: Tensor) -> int:
    """Return the product of all sizes but the last two."""
    return prod(tensor.shape[:-2])
