"""Lowering of attention: TTNN's fused kernel in bf16; products and a softmax elsewhere (fp32, unequal head sizes)."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.heads import split_heads
from ttc.backend.rules.matmul import product
from ttc.backend.rules.moves import expanded, padded, reshaped
from ttc.backend.rules.numbers import lowest
from ttc.calls.attention import (
    ConcatenateHeads,
    FillImplicitTilePadding,
    ScaledDotProductAttention,
    SDPAProgramConfig,
    chunk_tiles,
)
from ttc.calls.binary import Add, Lt, Multiply, Where
from ttc.calls.norm import Softmax
from ttc.calls.reduce import Max
from ttc.calls.shape import Slice
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.calls.unary import Clamp, LogicalNot
from ttc.ir import TILE, DType, TensorType, Value

EXCLUDED = -1e30
"""Stand-in for minus infinity in masks: finite, also after TTNN has multiplied the mask by 1 / scale.

A query that sees no key at all thus gets the mean of the values, which `_filled` replaces.
"""

LEAST = -1e29
"""Least number of a mask that is not minus infinity; finite numbers below are raised to this one.

Beside any real score such numbers leave a weight of 0, and among themselves the mean of the values.
"""


@lowers(ops.Attention)
def attention(op: ops.Attention, to: Lowering) -> Value:
    """Lower attention to a value [B, H, Sq, Dv]."""
    return attend(op, to)


def attend(op: ops.Attention, to: Lowering, join: bool = False) -> Value:
    """Return attention's result, with `join` already as rows of all heads: [B, 1, Sq, H * Dv] or [B, Sq, H * Dv]."""
    q, k, v = split_heads(op, to)
    seen = _seen(op, to)
    if to.dtype is DType.bf16 and op.q.shape[3] == op.v.shape[3]:
        by_rows = join and (seen is None or seen.shape[1] == 1)
        y = _filled(_fused(op, q, k, v, to, by_rows), seen, op, to)
        return to.call(ConcatenateHeads(y)) if join and not by_rows else y
    y = _filled(_by_products(op, q, k, v, to), seen, op, to)
    return to.call(ConcatenateHeads(y)) if join else y


def _filled(y: Value, seen: Value | None, op: ops.Attention, to: Lowering) -> Value:
    """Fill the rows of queries that see no key with 0, or with NaN, as the model demands."""
    return y if seen is None else to.call(Where(seen, y, 0.0 if op.empty == "zero" else math.nan))


def _seen(op: ops.Attention, to: Lowering) -> Value | None:
    """Return [1 or B, 1 or H, 1 or Sq, 1], 1 where a query sees a key, else 0; None if every query surely sees one."""
    if op.mask is None or op.empty == "never":
        return None  # causality alone leaves every query the first key
    shape = (1,) * (4 - op.mask.type.rank) + op.mask.shape
    static = to.static(op.mask)
    if static is not None:
        # A static mask: seen[q] = any over keys of (allowed[q, k] and k <= q), computed once, before the first run.
        allowed = to.derive(ops.Reshape(_allowed_static(static, to), shape))
        if op.causal:
            allowed = to.derive(ops.And(allowed, _causal(op, to)))
        seen = to.derive(ops.Max(allowed, (3,), keep=True))
        known = to.known(seen)
        return None if known is not None and bool(known.all()) else to.upload(seen, to.dtype)
    # A mask of run time: the same in 1 and 0, "and" as a product, "any" as a maximum over the keys.
    allowed = to.tile(reshaped(_allowed(op.mask, to), shape, to))
    if op.causal:
        allowed = to.call(Multiply(allowed, to.upload(_causal(op, to), to.dtype)))
    return to.call(Max(allowed, (3,), True))


def _allowed_static(mask: Value, to: Lowering) -> Value:
    """Return where a mask known before the first run lets a key through: True, or any number but -inf."""
    if mask.dtype is DType.bool:
        return mask
    return to.derive(ops.Ne(mask, to.derive(ops.Full(TensorType(mask.dtype, ()), -math.inf))))


def _allowed(mask: Value, to: Lowering) -> Value:
    """Return 1 where a mask of run time lets a key through, else 0; a NaN, not below any number, lets keys through."""
    if mask.dtype is DType.bool:
        return to.cast(to(mask), to.dtype)
    return to.call(LogicalNot(to.call(Lt(to(mask), lowest(to.dtype)))))


def _fused(op: ops.Attention, q: Value, k: Value, v: Value, to: Lowering, join: bool) -> Value:
    """Attend by the fused call; head sizes are padded to multiples of 32 with zeros, which changes no product."""
    head, extra = q.shape[3], -q.shape[3] % TILE
    if extra:  # q . k gains products 0 * 0, and the columns that v gains are cut off the result
        q, k, v = (to.tile(padded(x, ((0, 0), (0, 0), (0, 0), (0, extra)), 0.0, to)) for x in (q, k, v))
    simple = op.causal and op.mask is None and q.shape[2] == k.shape[2]
    mask = None if simple else _score_mask(op, to)
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


def _score_mask(op: ops.Attention, to: Lowering) -> Value | None:
    """Return the mask as the fused call takes it: [1 or B, 1 or H, Sq, Sk], with keys excluded also in padded tiles."""
    mask = _additive_mask(op, to)
    if mask is None:
        return None
    queries, keys = op.q.shape[2], op.k.shape[2]
    mask = to.tile(expanded(mask, (*mask.shape[:2], queries, keys), to))
    return to.call(FillImplicitTilePadding(mask, EXCLUDED)) if keys % TILE else mask


def _additive_mask(op: ops.Attention, to: Lowering) -> Value | None:
    """Return the mask to add to the scores, of rank 4 and no larger than needed; None if no key is excluded."""
    causal = _causal_mask(op, to) if op.causal else None
    if op.mask is None:
        return causal
    shape = (1,) * (4 - op.mask.type.rank) + op.mask.shape
    static = to.static(op.mask)
    if static is not None:
        mask = to.upload(to.derive(ops.Reshape(_finite(static, to), shape)), to.dtype)
    elif op.mask.dtype is DType.bool:
        mask = to.call(Where(_allowed(op.mask, to), 0.0, EXCLUDED))
    else:
        mask = to.call(Where(_allowed(op.mask, to), to.call(Clamp(to(op.mask), min=LEAST)), EXCLUDED))
    mask = to.tile(reshaped(mask, shape, to))
    return mask if causal is None else to.call(Add(mask, causal))


def _finite(static: Value, to: Lowering) -> Value:
    """Return a static mask as numbers to add, none below `EXCLUDED`."""
    dtype = DType.f32 if static.dtype is DType.bool else static.dtype
    zero, excluded = (to.derive(ops.Full(TensorType(dtype, ()), number)) for number in (0.0, EXCLUDED))
    kept = zero if static.dtype is DType.bool else to.derive(ops.Clamp(static, low=LEAST))
    return to.derive(ops.Where(_allowed_static(static, to), kept, excluded))


def _causal_mask(op: ops.Attention, to: Lowering) -> Value:
    """Return [1, 1, Sq, Sk] with keys after the query excluded."""
    return to.upload(_finite(_causal(op, to), to), to.dtype)


def _causal(op: ops.Attention, to: Lowering) -> Value:
    """Return [1, 1, Sq, Sk], known before the first run: True where a key is not after the query."""
    queries = to.constant(torch.arange(op.q.shape[2]).reshape(1, 1, -1, 1))
    keys = to.constant(torch.arange(op.k.shape[2]).reshape(1, 1, 1, -1))
    return to.derive(ops.Ge(queries, keys))


def _by_products(op: ops.Attention, q: Value, k: Value, v: Value, to: Lowering) -> Value:
    """Attend by q @ k.T, the mask added, softmax, @ v; grouped keys and values are repeated for their queries."""
    k, v = (_ungrouped(x, q.shape[1], to) for x in (k, v))
    # scores = scale * q @ k.T: in fp32 the scale goes onto q, which is smaller; in bf16 that would round q once more.
    if op.scale != 1 and to.dtype is DType.f32:
        q = to.call(Multiply(q, op.scale))
    scores = product(q, k, to, transpose_b=True)
    if op.scale != 1 and to.dtype is not DType.f32:
        scores = to.call(Multiply(scores, op.scale))
    mask = _additive_mask(op, to)
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
