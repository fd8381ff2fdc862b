"""Movement of elements: copies, shards, slices, joins, layouts, transposes, permutations, reshapes.

Sources: the profiled ops show a row of ROW_MAJOR that waits for its own read (about 0.3-0.4 us on Blackhole) in
copies, in tilizing with padding and in untilizing without it; tiles in order are read ahead.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

from ttc.analysis.cost.amounts import (
    Amounts,
    cores_of,
    dram,
    kilobytes_held,
    rows_held,
    share,
    stream,
    tile_rows_held,
    tiles_held,
)
from ttc.analysis.cost.work import Card, Tensor, Work
from ttc.calls.sizes import tiles_along
from ttc.calls.target import L1_ALIGNMENT
from ttc.ir import Layout

FACE = 16
"""Rows, and columns, of a face: a tile is stored as four faces."""


def move(work: Work, card: Card) -> Amounts:
    """Count what a copy moves: bytes within a core's L1 or read ahead, else tiles, or rows one by one."""
    given, made = work.inputs[0], work.outputs[0]
    if given.local and made.local:
        return {"start": 1, "kilobyte": kilobytes_held(given, work, card)}
    if work.get("read_ahead"):
        return {"start": 1, "kilobyte_ahead": kilobytes_held(made, work, card), **dram((given, made), card)}
    if given.layout is Layout.TILE:
        return {"start": 1, **stream((given,), (made,), work, card)}
    return {"start": 1, **_rows_alone(given, made, work, card)}


def _rows_alone(given: Tensor, made: Tensor, work: Work, card: Card) -> Amounts:
    """Count the rows that are read and written one after another, each read waited for."""
    rows = max(rows_held(given, work, card), rows_held(made, work, card))
    moved = kilobytes_held(given, work, card) + kilobytes_held(made, work, card)
    return {"row_alone": rows, "far_kilobyte": moved, **dram((given, made), card)}


def reshard(work: Work, card: Card) -> Amounts:
    """Count what goes between interleaved and sharded memory, or from shards to other shards."""
    gather = work.op.startswith("Interleaved")
    given, made = work.inputs[0], work.outputs[0]
    within = given.local and made.local
    part = made if gather or within else given
    tiled = part.layout is Layout.TILE
    rows = 0 if tiled else rows_held(part, work, card)
    size = kilobytes_held(part, work, card)
    return {
        "start": 1,
        "row_in": rows * gather,
        "row_out": rows * (not gather),
        "kilobyte_in": size * gather,
        "kilobyte_out": size * (not gather and not within),
        "kilobyte_within": size * within,
        "dram": part.bytes * (given.dram_bytes + made.dram_bytes > 0) / card.dram_bytes_per_second,
    }


def sliced(work: Work, card: Card) -> Amounts:
    """Count what is taken out of a tensor, or written into one: the smaller side."""
    part = min((work.inputs[0], work.outputs[0]), key=lambda tensor: tensor.bytes)
    if work.op.startswith("SliceWrite"):
        part = work.inputs[0]
    whole = max((work.inputs[0], work.outputs[0]), key=lambda tensor: tensor.bytes)
    other = replace(whole, shape=part.shape, logical=part.logical)
    given, made = (part, other) if part is work.inputs[0] else (other, part)
    if part.layout is Layout.TILE:
        return {"start": 1, **stream((given,), (made,), work, card)}
    untiled = given.layout is Layout.TILE
    rows = rows_held(part, work, card)
    return {
        "start": 1,
        "untiled": tiles_held(part, work, card) * untiled,
        "row": rows * (not untiled),
        "row_untiled": rows * untiled,
        "first_block": 1,
        **dram((given, made), card),
    }


def concat(work: Work, card: Card) -> Amounts:
    """Count the tiles, or rows, of the joined tensor."""
    made = work.outputs[0]
    local = made.local and all(tensor.local for tensor in work.inputs)
    if local:
        return {"start": 1, "kilobyte": kilobytes_held(made, work, card)}
    if made.layout is Layout.TILE:
        joined = replace(made, buffer=max(work.inputs, key=lambda tensor: tensor.dram_bytes).buffer)
        return {"start": 1, **stream((joined,), (made,), work, card), **dram((*work.inputs, made), card)}
    return {"start": 1, **_rows_alone(made, made, work, card)}


def tilize(work: Work, card: Card) -> Amounts:
    """Count tiles made; with padding each row of a block, as wide as the core's tiles, waits for its own read."""
    rows, made = work.inputs[0], work.outputs[0]
    padded = "Val" in work.op
    far = 0 if rows.local else _far_rows(rows, made, work, card)
    return {
        "start": 1,
        "tile": tiles_held(made, work, card),
        "row_alone": far * padded,
        "row": far * (not padded),
        "block_kilobyte": kilobytes_held(made, work, card) * (not rows.local),
        "first_block": int(not rows.local),
        **dram((rows, made), card),
    }


def untilize(work: Work, card: Card) -> Amounts:
    """Count tiles taken apart, rows of tiles, and rows written; without padding each row waits for its write."""
    given, rows = work.inputs[0], work.outputs[0]
    bare = "Unpadding" in work.op
    far = 0 if rows.local else _far_rows(rows, given, work, card)
    return {
        "start": 1,
        "tile": tiles_held(given, work, card),
        "tile_row": tile_rows_held(given, work, card),
        "row_alone": far * bare,
        "row": far * (not bare),
        "block_kilobyte": kilobytes_held(given, work, card) * (not rows.local),
        "first_block": int(not rows.local),
        **dram((given, rows), card),
    }


def _far_rows(rows: Tensor, tiled: Tensor, work: Work, card: Card) -> int:
    """Count the rows, or parts of rows where there are more cores than rows of tiles, of the core with most."""
    blocks = max(1, tiled.tiles // tiles_along(tiled.shape[-1]))
    parts = ceil(cores_of(work, card) / blocks)
    return share(rows.rows * parts, work, card)


def transpose(work: Work, card: Card) -> Amounts:
    """Count the tiles that change places, and those whose rows do (HC)."""
    given, made = work.inputs[0], work.outputs[0]
    inside = tiles_held(made, work, card) * ("CH" in work.op or "HC" in work.op)
    return {"start": 1, "tile": tiles_held(made, work, card), "mixed": inside, **stream((given,), (made,), work, card)}


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
    """Count the rows of faces that tiles are made of, and tiles; or the pieces that rows are cut into or joined from.

    In ROW_MAJOR a core has whole rows of the side that has fewer. Pieces that do not all begin at L1's alignment are
    copied byte by byte.
    """
    given, made = work.inputs[0], work.outputs[0]
    if given.layout is Layout.TILE:
        parts = prod(made.logical[:-1]) * ceil(made.logical[-1] / FACE)
        return {"start": 1, "part": share(parts, work, card), "tile": tiles_held(made, work, card)}
    fewer, more = sorted((given, made), key=lambda tensor: tensor.rows)
    pieces = share(fewer.rows, work, card) * ceil(more.rows / fewer.rows)
    size = more.shape[-1] * more.dtype.bytes
    return {"start": 1, "piece": pieces, "copied_kilobyte": pieces * size / 1024 * (size % L1_ALIGNMENT > 0)}


def embedding(work: Work, card: Card) -> Amounts:
    """Count the rows taken from a table, each waited for, with their bytes, and their tiles."""
    made = work.outputs[0]
    moved = 2 * share(made.rows, work, card) * made.shape[-1] * made.dtype.bytes / 1024
    return {
        "start": 1,
        "row_alone": share(made.rows, work, card),
        "far_kilobyte": moved,
        "tile": tiles_held(made, work, card),
    }


def heads(work: Work, card: Card) -> Amounts:
    """Count the tiles that heads are split into or joined from, and what they come from."""
    most = max((*work.inputs, *work.outputs), key=lambda tensor: tensor.tiles)
    given = replace(most, buffer=work.inputs[0].buffer)
    return {"start": 1, **stream((given,), (most,), work, card), **dram((*work.inputs, *work.outputs), card)}


def one_token(work: Work, card: Card) -> Amounts:
    """Count the tiles of heads turned on one core, or the half lines that a core takes of heads cut or joined.

    Two readers of a core take half of each line: of a head's tiles as many as of the heads that the core makes.
    """
    made = work.outputs[0]
    if work.op.startswith("ROTARY"):
        return {"start": 1, "tile": made.tiles}
    heads = sum(tensor.logical[-2] for tensor in work.outputs) if len(work.outputs) > 1 else 1
    return {"start": 1, "line": heads * tiles_along((made if heads > 1 else work.inputs[0]).shape[-1])}
