"""Attention in chunks: products of tiles, exponentials of scores, and what each pair of chunks costs besides.

Source: tt-metal's scaled_dot_product_attention gives a core chunks of queries and goes over all chunks of keys.
"""

from __future__ import annotations

from math import ceil, prod

from ttc.analysis.cost.amounts import Amounts, dram
from ttc.analysis.cost.product import CYCLES
from ttc.analysis.cost.work import Card, Work
from ttc.calls.sizes import tiles_along


def attention(work: Work, card: Card) -> Amounts:
    """Count for the core with most chunks of queries; causal attention skips the chunks above the diagonal.

    In decoding a chunk is the queries of a `group` that share keys, and `key_cores` cores share these keys: all of them
    are read from DRAM for one query, which no core's work hides.
    """
    queries, keys = work.inputs[0].shape, work.inputs[1].shape
    rows, columns, head = tiles_along(queries[-2]), tiles_along(keys[-2]), tiles_along(queries[-1])
    high = min(rows, ceil(work.get("q_chunk_size", 32) / 32))
    wide = min(columns, ceil(work.get("k_chunk_size", 32) / 32))
    cores, shared = work.cores or card.cores, int(work.get("key_cores", 1))
    chunks = int(work.get("groups", prod(queries[:-2]))) * ceil(rows / high)
    rounds = ceil(chunks * shared / cores)
    columns = ceil(columns / wide / shared) * wide if shared > 1 else columns
    seen = (columns + wide) / 2 if work.get("is_causal") and rows > 1 else columns
    scores = rounds * high * seen
    return {
        "start": 1,
        "engine": scores * 2 * head * CYCLES[work.fidelity],
        "score": scores,
        "chunk_row": rounds * high * seen / wide * head,
        "key": rounds * seen * 2 * head,
        **(dram((*work.inputs, *work.outputs), card) if work.get("key_cores") else {}),
    }
