"""Norms, softmax and reductions: several passes of the vector unit over the tiles that a core holds.

Sources: tt-metal's interleaved norms give a core whole rows of tiles, and sharded group norms a core all groups of
its shard, each by a mask that takes its own pass.
"""

from __future__ import annotations

from ttc.analysis.cost.amounts import Amounts, cores_along, dram, share, stream, tiles_held
from ttc.analysis.cost.work import Card, Work
from ttc.calls.sizes import tiles_along


def norm(work: Work, card: Card) -> Amounts:
    """Count the tiles of the rows that a core normalizes; mean and variance take passes of their own."""
    tiles = _row_tiles(work, card)
    return {"start": 1, "tile": tiles, "centred": tiles * ("RMSNORM" not in work.op), **_through(work, card)}


def softmax(work: Work, card: Card) -> Amounts:
    """Count the tiles of the rows that a core takes the softmax of."""
    return {"start": 1, "tile": _row_tiles(work, card), **_through(work, card)}


def group_norm(work: Work, card: Card) -> Amounts:
    """Count the groups of a core by the cores that a group lies on, and tiles by the groups that each holds."""
    given = work.inputs[0]
    groups = work.get("num_groups", 1)
    down, across = cores_along(given, work, card)
    masked = tiles_held(given, work, card) * max(1.0, 32 * groups / given.shape[-1])
    return {"start": 1, "group": groups / across * down, "tile_group": masked, "far_tile": masked * (not given.local)}


def reduction(work: Work, card: Card) -> Amounts:
    """Count the tiles that are read and summed."""
    return {"start": 1, **stream(work.inputs[:1], work.outputs[:1], work, card)}


def rotary(work: Work, card: Card) -> Amounts:
    """Count the tiles turned by an angle."""
    found = stream(work.inputs[:1], work.outputs[:1], work, card)
    return {"start": 1, "tile": tiles_held(work.outputs[0], work, card), **found}


def _through(work: Work, card: Card) -> Amounts:
    """Return the time that DRAM takes to give the operand and to take the result."""
    return dram((work.inputs[0], work.outputs[0]), card)


def _row_tiles(work: Work, card: Card) -> int:
    """Return the tiles of the core with most rows: whole rows of tiles each, but by shards in sharded memory."""
    given = work.inputs[0]
    if given.local:
        return tiles_held(given, work, card)
    across = tiles_along(given.shape[-1])
    return across * share(given.tiles / across, work, card)
