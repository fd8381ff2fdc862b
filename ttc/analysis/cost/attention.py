"""Attention in chunks: products of tiles, exponentials of scores, and what each pair of chunks costs besides.

Source: tt-metal's scaled_dot_product_attention gives a core chunks of queries and goes over all chunks of keys.
"""

from __future__ import annotations

from math import ceil, prod

from ttc.analysis.cost.amounts import Amounts
from ttc.analysis.cost.product import CYCLES
from ttc.analysis.cost.work import Card, Work, count


def attention(work: Work, card: Card) -> Amounts:
    """Count for the core with most chunks of queries; causal attention skips the chunks above the diagonal."""
    queries, keys = work.inputs[0].shape, work.inputs[1].shape
    rows, columns, head = count(queries[-2]), count(keys[-2]), count(queries[-1])
    high = min(rows, ceil(work.get("q_chunk_size", 32) / 32))
    wide = min(columns, ceil(work.get("k_chunk_size", 32) / 32))
    chunks = prod(queries[:-2]) * ceil(rows / high)
    rounds = ceil(chunks / (work.cores or card.cores))
    seen = (columns + wide) / 2 if work.get("is_causal") and rows > 1 else columns
    scores = rounds * high * seen
    return {
        "start": 1,
        "engine": scores * 2 * head * CYCLES[work.fidelity],
        "score": scores,
        "chunk_row": rounds * high * seen / wide * head,
        "key": rounds * seen * 2 * head,
    }
