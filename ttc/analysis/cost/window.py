"""Convolutions, halos and pools over shards: activations gathered tap by tap, weights sent, products, rows.

Sources: tt-metal's convolution makes a product of gathered activations and prepared weights; each core gathers and
tilizes its rows' taps, one core (or one a column) reads the weights and sends them to all.
"""

from __future__ import annotations

from math import ceil, prod

from ttc.analysis.cost.amounts import Amounts, cores_along, rows_held, share, tile_rows_held, tiles_held
from ttc.analysis.cost.product import CYCLES
from ttc.analysis.cost.work import Card, Work
from ttc.calls.sizes import tiles_along
from ttc.ir import Layout


def convolution(work: Work, card: Card) -> Amounts:
    """Count products in cycles of the matrix engine, tiles of activations gathered, and weights.

    In block shards each core of a row gathers the taps of its own channels, and sends them to all in its turn: so its
    products are in as many steps, and have a price of their own. Times of published convolutions in block shards grow
    with the passes of the engine, not with what a core receives (tt-metal's Kokoro, perf/conv_sweep_results.md:
    18.0, 29.4, 40.9 and 52.3 us for one to four passes).
    """
    weights, made = work.inputs[1], work.outputs[0]
    depth, width = tiles_along(weights.shape[-2]), tiles_along(weights.shape[-1])
    cores = work.cores or card.cores
    across = int(work.get("num_cores_c_out") or work.get("num_cores_c") or 1)
    turns = int(work.get("num_cores_c_in") or work.get("num_cores_c") or 1)
    down = max(1, int(work.get("num_cores_nhw") or cores // across))
    rows = int(work.get("per_core_out_matrix_height_ntile") or ceil(tiles_along(made.rows) / down))
    columns = ceil(width / across)
    taps = int(work.get("taps", 1))
    held = turns * taps * ceil(depth / taps / turns) if turns > 1 else depth
    blocks = ceil(rows / (work.get("act_block_h_ntiles") or rows))
    engine = rows * columns * held * CYCLES[work.fidelity]
    return {
        "start": 1,
        "engine": engine * (turns == 1),
        "engine_in_turns": engine * (turns > 1),
        "activation": rows * held / turns,
        "block": blocks * ceil(held / (work.get("act_block_w_ntiles") or held / turns)),
        "weight_kilobyte": depth * columns * weights.tile_bytes / 1024 * (1 if across == 1 else blocks),
    }


def halo(work: Work, card: Card) -> Amounts:
    """Count the rows that a core gets with its neighbours', in kilobytes too, and tiles taken apart first.

    Shards of more rows than an equal part put the last core's part on the cores before: those rows are foreign, too.
    """
    given, made = work.inputs[0], work.outputs[0]
    tiled = given.layout is Layout.TILE
    rows = int(
        work.get("max_out_nsticks_per_core") or work.get("max_out_nsticks_per_core_") or rows_held(made, work, card)
    )
    held = work.get("shard_height") or share(given.rows, work, card)
    down = cores_along(given, work, card)[0]
    shifted = max(0.0, held - prod(given.logical[:-1]) / down) * (down - 1)
    foreign = min(rows, max(0.0, rows - held) * (work.get("window", 1) > 1) + shifted)
    across = ceil(made.shape[-1] / (work.get("shard_width") or made.shape[-1]))
    return {
        "start": 1,
        "row": rows,
        "kilobyte": share(made.bytes, work, card) / 1024,
        "foreign": foreign / across * made.shape[-1] * made.dtype.bytes / 1024,
        "tile": tiles_held(given, work, card) * tiled,
        "tile_row": tile_rows_held(given, work, card) * tiled,
    }


def pool(work: Work, card: Card) -> Amounts:
    """Count the rows of a core's windows, a tile wide; and the windows whose largest places are told, too."""
    down, across = cores_along(work.inputs[0], work, card)
    windows = ceil(prod(work.outputs[0].logical[:-1]) / down) * ceil(tiles_along(work.inputs[0].shape[-1]) / across)
    return {"start": 1, "row": windows * work.get("window", 1), "place": windows * (len(work.outputs) > 1)}
