"""Norms, softmax and reductions: several passes of the vector unit over the tiles that a core holds.

Sources: tt-metal's interleaved norms give a core whole rows of tiles, and sharded group norms a core all groups of
its shard, each by a mask that takes its own pass.
"""

from __future__ import annotations

from ttc.analysis.cost.amounts import Amounts, remote, share, tiles_held
from ttc.analysis.cost.work import Card, Work, count


def norm(work: Work, card: Card) -> Amounts:
    """Count the tiles of the rows that a core normalizes; mean and variance take passes of their own."""
    tiles = _row_tiles(work, card)
    return {"start": 1, "tile": tiles, "centred": tiles * ("RMSNORM" not in work.op)}


def softmax(work: Work, card: Card) -> Amounts:
    """Count the tiles of the rows that a core takes the softmax of, and the rows."""
    return {"start": 1, "tile": _row_tiles(work, card)}


def group_norm(work: Work, card: Card) -> Amounts:
    """Count tiles, groups, and the groups that each tile holds, on one core."""
    given = work.inputs[0]
    groups = work.get("num_groups", 1)
    across = given.shape[-1] / (work.get("shard_width") or given.shape[-1]) if given.local else 1
    tiles = tiles_held(given, work, card)
    return {
        "start": 1,
        "tile": tiles,
        "group": groups / across,
        "tile_group": tiles * max(1.0, 32 * groups / given.shape[-1]),
        "far_tile": tiles * (not given.local) * max(1.0, 32 * groups / given.shape[-1]),
    }


def reduction(work: Work, card: Card) -> Amounts:
    """Count the tiles that are read and summed."""
    tiles = tiles_held(work.inputs[0], work, card)
    return {"start": 1, "tile": tiles, **remote((work.inputs[0], work.outputs[0]), work, card)}


def rotary(work: Work, card: Card) -> Amounts:
    """Count the tiles turned by an angle, and all that are read for them."""
    tensors = (work.inputs[0], work.outputs[0])
    return {"start": 1, "tile": tiles_held(work.outputs[0], work, card), **remote(tensors, work, card)}


def _row_tiles(work: Work, card: Card) -> int:
    """Return the tiles of the core with most rows: whole rows of tiles each, but by shards in sharded memory."""
    given = work.inputs[0]
    if given.local:
        return tiles_held(given, work, card)
    across = count(given.shape[-1])
    return across * share(given.tiles / across, work, card)
