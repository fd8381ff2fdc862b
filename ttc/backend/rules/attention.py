"""Lowering of attention: TTNN's fused kernel in bf16; products and a softmax elsewhere (fp32, unequal head sizes)."""

from __future__ import annotations

import math

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.one_token import decodes
from ttc.backend.rules.attention_decode import decoded, joined
from ttc.backend.rules.attention_mask import additive_mask, score_mask, seen_queries
from ttc.backend.rules.heads import split_heads
from ttc.backend.rules.matmul import product
from ttc.backend.rules.moves import expanded, padded, reshaped
from ttc.calls.attention import (
    ConcatenateHeads,
    ScaledDotProductAttention,
    SDPAProgramConfig,
    chunk_tiles,
)
from ttc.calls.binary import Add, Multiply
from ttc.calls.norm import Softmax
from ttc.calls.shape import Slice
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.calls.ternary import Where
from ttc.ir import TILE, DType, Value


@lowers(ops.Attention)
def attention(op: ops.Attention, to: Lowering) -> Value:
    """Lower attention to a value [B, H, Sq, Dv]."""
    return attend(op, to)


def attend(op: ops.Attention, to: Lowering, join: bool = False) -> Value:
    """Return attention's result, with `join` already as rows of all heads: [B, 1, Sq, H * Dv] or [B, Sq, H * Dv]."""
    q, k, v = split_heads(op, to)
    seen = seen_queries(op, to)
    fused = to.dtype is DType.bf16 and op.q.shape[3] == op.v.shape[3]
    by_rows = fused and join and (seen is None or seen.shape[1] == 1)
    if fused and decodes(op, to.target):
        k, v = (to.stored(x) if to.is_cached(x) else own for x, own in ((op.k, k), (op.v, v)))
        y = decoded(op, q, k, v, to)
        y = joined(y, to) if by_rows else reshaped(y, op.q.shape, to)
    elif fused:
        y = _fused(op, q, k, v, to, by_rows)
    else:
        y = _by_products(op, q, k, v, to)
    if seen is not None:  # rows of queries that see no key become 0, or NaN, as the model demands
        y = to.call(Where(seen, y, 0.0 if op.empty == "zero" else math.nan))
    return to.call(ConcatenateHeads(y)) if join and not by_rows else y


def _fused(op: ops.Attention, q: Value, k: Value, v: Value, to: Lowering, join: bool) -> Value:
    """Attend by the fused call; head sizes are padded to multiples of 32 with zeros, which changes no product."""
    head, extra = q.shape[3], -q.shape[3] % TILE
    if extra:  # q . k gains products 0 * 0, and the columns that v gains are cut off the result
        q, k, v = (to.tile(padded(x, ((0, 0), (0, 0), (0, 0), (0, extra)), 0.0, to)) for x in (q, k, v))
    simple = op.causal and op.mask is None and q.shape[2] == k.shape[2]
    mask = None if simple else score_mask(op, to)
    y = to.call(
        ScaledDotProductAttention(
            q,
            k,
            v,
            attn_mask=mask,
            is_causal=simple,
            scale=op.scale,
            program_config=program_config(q.shape, k.shape[2], mask is not None, simple, to.target),
            output_concat_heads=join,
        )
    )
    if not extra:
        return y
    return to.call(Slice(y, (0, 0, 0, 0), (*y.shape[:3], head)))


def program_config(q: tuple[int, ...], keys: int, masked: bool, causal: bool, target: Target) -> SDPAProgramConfig:
    """Choose chunks for the fewest rounds over the cores, and keys with little padding; cut to fit two thirds of L1."""
    batch, heads, queries, head = q
    sizes = range(TILE, 256 + TILE, TILE)

    def rounds(size: int) -> int:
        return -(-batch * heads * -(-queries // size) // target.cores) * (size + TILE)

    chosen = SDPAProgramConfig(
        target.grid, min(sizes, key=rounds), min(sizes, key=lambda size: -(-keys // size) * (size + 2 * TILE)), False
    )
    while chunk_tiles(chosen, head, masked, causal) * tile_bytes(DType.bf16) > target.l1_bytes * 2 // 3:
        q_size, k_size = chosen.q_chunk_size, chosen.k_chunk_size
        if max(q_size, k_size) == TILE:
            break
        smaller = (q_size, k_size - TILE) if k_size >= q_size else (q_size - TILE, k_size)
        chosen = SDPAProgramConfig(target.grid, *smaller, False)
    return chosen


def _by_products(op: ops.Attention, q: Value, k: Value, v: Value, to: Lowering) -> Value:
    """Attend by q @ k.T, the mask added, softmax, @ v; grouped keys and values are repeated for their queries."""
    k, v = (_ungrouped(x, q.shape[1], to) for x in (k, v))
    # scores = scale * q @ k.T: in fp32 the scale goes onto q, which is smaller; in bf16 that would round q once more.
    if op.scale != 1 and to.dtype is DType.f32:
        q = to.call(Multiply(q, op.scale))
    scores = product(q, k, to, transpose_b=True)
    if op.scale != 1 and to.dtype is not DType.f32:
        scores = to.call(Multiply(scores, op.scale))
    mask = additive_mask(op, to)
    if mask is not None:
        scores = to.call(Add(scores, mask))  # 0 for a key that is seen, EXCLUDED for one that is not
    weights = to.call(Softmax(scores, 3))
    return product(weights, v, to)


def _ungrouped(x: Value, heads: int, to: Lowering) -> Value:
    """Return [B, H, S, D] of [B, Hkv, S, D], each head repeated for the queries that share it."""
    batch, groups, rows, head = x.shape
    if groups == heads:
        return x
    single = reshaped(x, (batch * groups, 1, rows, head), to)
    return reshaped(expanded(single, (batch * groups, heads // groups, rows, head), to), (batch, heads, rows, head), to)
