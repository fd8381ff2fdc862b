"""Attention of one token of one sequence: what is matched before lowering, so that all of its rules agree.

Queries, keys and values of one token fit on one core, where TTNN turns heads by their angle and writes them into
caches from. The rows that they are cut from are found from the attention backwards.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ttc import ops
from ttc.backend.heads import Heads, counts_of, heads_of
from ttc.calls.attention_decode import takes_heads
from ttc.calls.target import Target
from ttc.ir import TILE, Graph, Op, Value


def decodes(op: ops.Attention, target: Target) -> bool:
    """Return whether TTNN's call for one query takes this attention: rows of caches in whole tiles, no causality."""
    batch, heads, queries, size = op.q.shape
    whole = op.k.shape[2] % TILE == 0 and size % TILE == 0 and takes_heads(heads)
    return queries == 1 and whole and not op.causal and batch <= target.cores and size == op.v.shape[3]


def rows_of_one_token(graph: Graph, in_place: AbstractSet[Op], target: Target) -> frozenset[Value]:
    """Return the rows [1, 1, (H + 2 * Hkv) * D] that are cut into the heads of a token and of the caches attended to.

    Keys and values are written into states in place; queries and keys may be turned by their angle before.
    """
    attentions = (node.op for node in graph.nodes if isinstance(node.op, ops.Attention))
    found = (_rows(op, in_place) for op in attentions if op.q.shape[0] == 1 and decodes(op, target))
    return frozenset(rows for rows in found if rows is not None)


def turns_whole_tiles(op: ops.Rotary) -> bool:
    """Return whether halves of rows in whole tiles change places, by one table for all heads [B, H, S, D]."""
    return not op.pairs and op.x.shape[-1] % (2 * TILE) == 0 and is_table(op)


def is_table(op: ops.Rotary) -> bool:
    """Return whether x is [B, H, S, D] and cos and sin hold S rows of D elements, the same for all heads."""
    shape = (*(1,) * (4 - op.cos.type.rank), *op.cos.shape)
    return op.x.type.rank == 4 and shape == (1, 1, *op.x.shape[2:])


def _rows(op: ops.Attention, in_place: AbstractSet[Op]) -> Value | None:
    """Match the rows that q, k and v are cut from, side by side; None if there are none."""
    q, k, v = _turned(op.q), _turned(_written(op.k, in_place)), heads_of(_written(op.v, in_place))
    if q is None or k is None or v is None or not q.source is k.source is v.source:
        return None
    starts = (q.start, k.start, v.start) == (0, q.width, q.width + k.width)
    whole = counts_of(q) == counts_of(k) == counts_of(v) == (q.shape[1], k.shape[1])
    return q.source if starts and whole and q.shape[1] <= MOST_HEADS and k.shape[1] <= TILE else None


MOST_HEADS = 64
"""The most heads of queries of a token that were tried on one core: two rows of tiles."""


def _turned(value: Value) -> Heads | None:
    """Match heads, or heads that are turned by their angle."""
    if not isinstance(value.op, ops.Rotary):
        return heads_of(value)
    return heads_of(value.op.x) if turns_whole_tiles(value.op) else None


def _written(value: Value, in_place: AbstractSet[Op]) -> Value:
    """Return what is written into a state in place that `value` is; any other value as it is."""
    return value.op.a if isinstance(value.op, ops.Where) and value.op in in_place else value
