"""Movement of elements: copies, shards, slices, joins, layouts, transposes, permutations, reshapes.

Sources: the profiled ops show a row of ROW_MAJOR that waits for its own read (about 0.3-0.4 us on Blackhole) in
copies, in tilizing with padding and in untilizing without it; tiles in order are read ahead.
"""

from __future__ import annotations

from math import ceil, prod

from ttc.analysis.cost.amounts import Amounts, is_local, remote, rows_held, share, tiles_held
from ttc.analysis.cost.work import Card, Tensor, Work, count
from ttc.ir import Layout

KILO = 1024


def move(work: Work, card: Card) -> Amounts:
    """Count what a copy moves: bytes within a core's L1, else tiles, or rows one by one."""
    given, made = work.inputs[0], work.outputs[0]
    own = is_local(given, work) and is_local(made, work)
    rows = 0 if own or given.layout is Layout.TILE else share(given.rows, work, card)
    kilobytes = share(given.bytes, work, card) / KILO if own else 0
    return {"start": 1, "kilobyte": kilobytes, "row": rows, **remote((given, made), work, card)}


def reshard(work: Work, card: Card) -> Amounts:
    """Count what goes between interleaved and sharded memory, or from shards to other shards."""
    gather = work.op.startswith("Interleaved")
    part = work.outputs[0] if gather else work.inputs[0]
    tiled = part.layout is Layout.TILE
    across = ceil(part.shape[-1] / (work.get("shard_width") or part.shape[-1]))
    rows = 0 if tiled else share(part.rows * across, work, card)
    return {
        "start": 1,
        "tile": tiles_held(part, work, card) * tiled,
        "row_in": rows * gather,
        "row_out": rows * (not gather),
        "kilobyte": share(part.bytes, work, card) / KILO,
    }


def sliced(work: Work, card: Card) -> Amounts:
    """Count what is taken out of a tensor, or written into one: the smaller side."""
    part = min((work.inputs[0], work.outputs[0]), key=lambda tensor: tensor.bytes)
    if work.op.startswith("SliceWrite"):
        part = work.inputs[0]
    tiled = part.layout is Layout.TILE
    untiled = not tiled and work.inputs[0].layout is Layout.TILE
    rows = 0 if tiled else rows_held(part, work, card)
    moved = 2 * part.bytes - (part.bytes if part.local else 0)
    return {
        "start": 1,
        "tile": tiles_held(part, work, card) * tiled,
        "untiled": tiles_held(part, work, card) * untiled,
        "row": rows * (not untiled),
        "row_untiled": rows * untiled,
        "dram": moved * (work.inputs[0].dram_bytes > 0) / card.dram_bytes_per_second,
    }


def concat(work: Work, card: Card) -> Amounts:
    """Count the tiles, or rows, of the joined tensor."""
    made = work.outputs[0]
    tiled = made.layout is Layout.TILE
    return {
        "start": 1,
        "tile": tiles_held(made, work, card) * tiled,
        "row": share(made.rows, work, card) * (not tiled),
        **remote((*work.inputs, made), work, card),
    }


def tilize(work: Work, card: Card) -> Amounts:
    """Count tiles made; with padding each row waits for its own read."""
    rows, made = work.inputs[0], work.outputs[0]
    padded = "Val" in work.op
    far = 0 if is_local(rows, work) else share(rows.rows, work, card)
    return {
        "start": 1,
        "tile": tiles_held(made, work, card),
        "row_alone": far * padded,
        "row": far * (not padded),
        **remote((rows, made), work, card),
    }


def untilize(work: Work, card: Card) -> Amounts:
    """Count tiles taken apart, rows of tiles, and rows written; without padding each row waits for its write."""
    given, rows = work.inputs[0], work.outputs[0]
    bare = "Unpadding" in work.op
    far = 0 if is_local(rows, work) else share(rows.rows, work, card)
    return {
        "start": 1,
        "tile": tiles_held(given, work, card),
        "tile_row": share(given.tiles / count(given.shape[-1]), work, card),
        "row_alone": far * bare,
        "row": far * (not bare),
        **remote((given, rows), work, card),
    }


def transpose(work: Work, card: Card) -> Amounts:
    """Count the tiles that change places, and those whose rows do (HC)."""
    given, made = work.inputs[0], work.outputs[0]
    inside = tiles_held(made, work, card) * ("HC" in work.op)
    return {"start": 1, "tile": tiles_held(made, work, card), "mixed": inside, **remote((given, made), work, card)}


def permute(work: Work, card: Card) -> Amounts:
    """Count tiles taken apart and made, or rows; and single elements where the last dimension changes place."""
    given, made = work.inputs[0], work.outputs[0]
    tiled = given.layout is Layout.TILE
    turned = given.logical[-1] != made.logical[-1]
    elements = share(prod(made.logical), work, card) * turned * (not tiled)
    return {
        "start": 1,
        "tile_in": tiles_held(given, work, card) * tiled,
        "tile_out": tiles_held(made, work, card) * tiled,
        "turned": tiles_held(made, work, card) * turned * tiled,
        "element": elements,
        "row": share(min(given.rows, made.rows), work, card) * (not tiled),
    }


def reshape(work: Work, card: Card) -> Amounts:
    """Count tiles made out of rows of others, or rows cut anew."""
    given, made = work.inputs[0], work.outputs[0]
    tiled = given.layout is Layout.TILE
    return {
        "start": 1,
        "tile": tiles_held(made, work, card) * tiled,
        "row_in": share(given.rows, work, card) * (not tiled),
        "row_out": share(made.rows, work, card) * (not tiled),
    }


def embedding(work: Work, card: Card) -> Amounts:
    """Count the rows taken from a table, and their tiles."""
    made = work.outputs[0]
    return {"start": 1, "row": share(made.rows, work, card), "tile": tiles_held(made, work, card)}


def heads(work: Work, card: Card) -> Amounts:
    """Count the tiles that heads are split into or joined from, and what they come from."""
    tensors: tuple[Tensor, ...] = (*work.inputs, *work.outputs)
    return {"start": 1, **remote(tensors, work, card)}
