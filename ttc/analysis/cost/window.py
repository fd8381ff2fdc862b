"""Convolutions, halos and pools over shards: activations gathered tap by tap, weights sent, products, rows.

Sources: tt-metal's convolution makes a product of gathered activations and prepared weights; each core gathers and
tilizes its rows' taps, one core (or one a column) reads the weights and sends them to all.
"""

from __future__ import annotations

from math import ceil

from ttc.analysis.cost.amounts import Amounts, is_local, rows_held, share, tiles_held
from ttc.analysis.cost.product import CYCLES
from ttc.analysis.cost.work import Card, Work, count
from ttc.ir import Layout


def convolution(work: Work, card: Card) -> Amounts:
    """Count products in cycles of the matrix engine, tiles of activations gathered or received, tiles of weights."""
    weights, made = work.inputs[1], work.outputs[0]
    depth, width = count(weights.shape[-2]), count(weights.shape[-1])
    cores = work.cores or card.cores
    across = int(work.get("num_cores_c_out") or work.get("num_cores_c") or work.get("across", 1))
    down = max(1, int(work.get("num_cores_nhw") or cores // across))
    rows = int(work.get("per_core_out_matrix_height_ntile") or ceil(count(made.rows) / down))
    columns = ceil(width / across)
    taps = int(work.get("taps", 1))
    held = across * taps * ceil(depth / taps / across) if across > 1 else depth
    blocks = ceil(rows / (work.get("act_block_h_ntiles") or rows))
    return {
        "start": 1,
        "engine": rows * columns * held * CYCLES[work.fidelity],
        "activation": rows * held,
        "block": blocks * ceil(held / (work.get("act_block_w_ntiles") or held)),
        "weight": depth * columns * (1 if across == 1 else blocks),
    }


def halo(work: Work, card: Card) -> Amounts:
    """Count the rows that a core gets with its neighbours', in kilobytes too, and tiles taken apart first."""
    given, made = work.inputs[0], work.outputs[0]
    tiled = given.layout is Layout.TILE
    rows = int(
        work.get("max_out_nsticks_per_core") or work.get("max_out_nsticks_per_core_") or rows_held(made, work, card)
    )
    held = work.get("shard_height") or share(given.rows, work, card)
    foreign = max(0.0, rows - held) * (work.get("window", 1) > 1)
    across = ceil(made.shape[-1] / (work.get("shard_width") or made.shape[-1]))
    return {
        "start": 1,
        "row": rows,
        "kilobyte": share(made.bytes, work, card) / 1024,
        "foreign": foreign / across * made.shape[-1] * made.dtype.bytes / 1024,
        "tile": tiles_held(given, work, card) * tiled,
        "tile_row": share(given.tiles / count(given.shape[-1]), work, card) * tiled,
    }


def pool(work: Work, card: Card) -> Amounts:
    """Count the windows of a core, and their rows."""
    rows = share(work.outputs[0].rows, work, card)
    own = is_local(work.inputs[0], work)
    return {"start": 1, "window": rows, "row": rows * work.get("window", 1) * own}
