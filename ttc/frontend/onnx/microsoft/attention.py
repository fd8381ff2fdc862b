"""Attention as onnxruntime's optimiser fuses it, and the embeddings of BERT before it.

A masked key keeps a weight: `mask_filter_value` is added to its score. Shapes are named B (batch), N (heads), S
(queries), T (keys, those of `past` first) and H (a head's size).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attention import merge_heads, split_heads
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.index import Gather
from ttc.frontend.onnx.integer import centred, product
from ttc.frontend.onnx.matmul import matmul
from ttc.frontend.onnx.norm import layer_norm
from ttc.frontend.onnx.quantize import DequantizeLinear
from ttc.frontend.onnx.table import MICROSOFT, Ints, onnx_op
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, concat, where

FILTER = -10000.0
"""The number added to the scores of masked keys unless a model says another."""


@onnx_op(domain=MICROSOFT)
def EmbedLayerNormalization(
    b: Emitter, ids: Expr, segment_ids: Expr | None, words: Expr, positions: Expr, segments: Expr | None, gamma: Expr,
    beta: Expr, mask: Expr | None = None, position_ids: Expr | None = None, *, epsilon=1e-12, mask_index_type=0,
) -> list[Expr]:  # fmt: skip
    """Normalise the sum of embeddings of words, positions and segments; count the words that a mask [B, S] keeps."""
    if (segment_ids is None) != (segments is None):
        raise Refusal("takes segment_ids and segment_embedding together")
    places = b.arange(ids.shape[1]) if position_ids is None else position_ids
    total = Gather(b, words, ids) + Gather(b, positions, places)
    if segments is not None and segment_ids is not None:
        total = total + Gather(b, segments, segment_ids)
    y = layer_norm(total, gamma, beta, total.rank - 1, epsilon)
    kept = b.full(0, DType.i32, ids.shape[:1]) if mask is None else (mask == 1).cast(DType.i32).sum((1,))
    return [y, kept, total]


@onnx_op(domain=MICROSOFT)
def QEmbedLayerNormalization(
    b: Emitter, ids: Expr, segment_ids: Expr | None, words: Expr, positions: Expr, segments: Expr | None, gamma: Expr,
    beta: Expr, mask: Expr | None, words_scale: Expr, positions_scale: Expr, segments_scale: Expr | None,
    gamma_scale: Expr, beta_scale: Expr, words_zero: Expr, positions_zero: Expr, segments_zero: Expr | None,
    gamma_zero: Expr, beta_zero: Expr, *, epsilon=1e-12,
) -> list[Expr]:  # fmt: skip
    """Compute EmbedLayerNormalization of weights of bytes."""
    if segments is not None and segments_scale is not None:
        segments = DequantizeLinear(b, segments, segments_scale, segments_zero)
    words = DequantizeLinear(b, words, words_scale, words_zero)
    positions = DequantizeLinear(b, positions, positions_scale, positions_zero)
    gamma, beta = DequantizeLinear(b, gamma, gamma_scale, gamma_zero), DequantizeLinear(b, beta, beta_scale, beta_zero)
    return EmbedLayerNormalization(b, ids, segment_ids, words, positions, segments, gamma, beta, mask, epsilon=epsilon)


@dataclass(frozen=True)
class Scores:
    """Changes of scores before the softmax: masked keys, a bias, a causal mask, and a scale, 0 for the usual one."""

    mask: Expr | None = None
    bias: Expr | None = None
    causal: bool = False
    scale: float = 0.0
    masked: float = FILTER


def attend(b: Emitter, q: Expr, k: Expr, v: Expr, past: tuple[Expr, Expr] | None, scores: Scores) -> list[Expr]:
    """Attend with heads [B, N, S, H] to the keys of `past` and k; return [B, S, N * H], and all keys and values."""
    earlier = 0
    if past is not None:
        earlier = past[0].shape[2]
        k, v = concat([past[0], k], 2), concat([past[1], v], 2)
    if scores.causal and k.shape[2] != earlier + q.shape[2]:
        raise Refusal(f"is causal between {q.shape[2]} queries and {k.shape[2]} keys, of which {earlier} are earlier")
    added = scores.bias
    if scores.mask is not None:
        masked = where(_kept(b, scores.mask, q, k), q.number(0.0), scores.masked)
        added = masked if added is None else added + masked
    if scores.causal and earlier:
        seen = b.arange(k.shape[2]) <= b.arange(q.shape[2]).reshape(q.shape[2], 1) + earlier
        unseen = where(seen, q.number(0.0), -math.inf)
        added = unseen if added is None else added + unseen
    scale = scores.scale or 1 / math.sqrt(q.shape[-1])
    return [merge_heads(apply(ops.Attention, q, k, v, added, scores.causal and not earlier, scale)), k, v]


def _kept(b: Emitter, mask: Expr, q: Expr, k: Expr) -> Expr:
    """Return which keys a mask keeps, as bool that broadcasts to [B, N, S, T].

    The mask is [B] (how many keys), [2 B] (the keys' ends, then their starts), [B, T] or [B, S, T] (positive if kept).
    """
    batch, keys = q.shape[0], k.shape[2]
    match mask.shape:
        case (size,) if size in (batch, 2 * batch):
            places = b.arange(keys, mask.dtype)
            kept = places < mask.part(0, 0, batch).reshape(batch, 1)
            if size == 2 * batch:
                kept = kept & (places >= mask.part(0, batch, 2 * batch).reshape(batch, 1))
            return kept.reshape(batch, 1, 1, keys)
        case (size, width) if (size, width) == (batch, keys):
            return (mask > 0).reshape(batch, 1, 1, keys)
        case (size, rows, width) if (size, rows, width) == (batch, q.shape[2], keys):
            return (mask > 0).reshape(batch, 1, rows, keys)
    raise Refusal(f"a mask {mask.type} of {batch} x {keys} keys is not supported")


@onnx_op(domain=MICROSOFT)
def Attention(
    b: Emitter, x: Expr, w: Expr, bias: Expr | None = None, mask_index: Expr | None = None, past: Expr | None = None,
    attention_bias: Expr | None = None, past_length: Expr | None = None, *, num_heads: int, do_rotary=0,
    mask_filter_value=FILTER, past_present_share_buffer=0, qkv_hidden_sizes: Ints = (), rotary_embedding_dim=0,
    scale=0.0, unidirectional=0,
) -> list[Expr]:  # fmt: skip
    """Attend to x [B, S, D] itself by one product with the weights of queries, keys and values beside one another."""
    _check_plain(do_rotary, past_present_share_buffer or past_length is not None)
    rows = matmul(x, w) if bias is None else matmul(x, w) + bias
    scores = Scores(mask_index, attention_bias, bool(unidirectional), scale, mask_filter_value)
    return _attend_in_one(b, rows, past, num_heads, qkv_hidden_sizes, scores)


@onnx_op(domain=MICROSOFT)
def QAttention(
    b: Emitter, x: Expr, w: Expr, bias: Expr, x_scale: Expr, w_scale: Expr, mask_index: Expr | None = None,
    x_zero: Expr | None = None, w_zero: Expr | None = None, past: Expr | None = None, *, num_heads: int, do_rotary=0,
    mask_filter_value=FILTER, past_present_share_buffer=0, scale=0.0, unidirectional=0,
) -> list[Expr]:  # fmt: skip
    """Attend as Attention does, to bytes by weights of bytes."""
    _check_plain(do_rotary, past_present_share_buffer)
    rows = product(centred(x, x_zero), centred(w, w_zero)).cast(DType.f32) * (x_scale * w_scale) + bias
    scores = Scores(mask_index, None, bool(unidirectional), scale, mask_filter_value)
    return _attend_in_one(b, rows, past, num_heads, (), scores)


def _check_plain(rotates: int, shares: int) -> None:
    if rotates or shares:
        raise Refusal("rotates its heads, or shares a buffer with its past: neither is supported")


def _columns(x: Expr, sizes: Iterable[int]) -> Iterator[Expr]:
    """Yield parts of so many columns one after another."""
    return (x.part(x.rank - 1, *ends) for ends in pairwise(accumulate(sizes, initial=0)))


def _attend_in_one(b: Emitter, rows: Expr, past: Expr | None, heads: int, sizes: Ints, scores: Scores) -> list[Expr]:
    """Attend with queries, keys and values that are columns of [B, S, D]; return the result, and [2, B, N, T, H]."""
    if rows.rank != 3:
        raise Refusal(f"attends to {rows.type}, where [batch, length, channels] is read")
    if len(sizes or (0,) * 3) != 3 or (sizes and sum(sizes) != rows.shape[-1]):
        raise Refusal(f"cuts {rows.shape[-1]} columns into {list(sizes)}")
    third = rows.shape[-1] // 3
    q, k, v = (split_heads(part, heads) for part in _columns(rows, sizes or (third, third, rows.shape[-1] - 2 * third)))
    before = None
    if past is not None:
        first, second = (past.part(0, i, i + 1).reshape(*past.shape[1:]) for i in range(2))
        before = first, second
    y, k, v = attend(b, q, k, v, before, scores)
    if not b.wants(1):
        return [y]
    return [y, concat([item.reshape(1, *item.shape) for item in (k, v)], 0)]


@onnx_op(domain=MICROSOFT)
def MultiHeadAttention(
    b: Emitter, query: Expr, key: Expr | None = None, value: Expr | None = None, bias: Expr | None = None,
    key_padding_mask: Expr | None = None, attention_bias: Expr | None = None, past_key: Expr | None = None,
    past_value: Expr | None = None, past_length: Expr | None = None, cache_indirection: Expr | None = None, *,
    num_heads: int, mask_filter_value=FILTER, scale=0.0, unidirectional=0,
) -> list[Expr]:  # fmt: skip
    """Attend with queries [B, S, D] to keys and values [B, T, D], or to those of a cache [B, N, T, H]."""
    if query.rank != 3 or key is None or value is None:
        raise Refusal("has queries, keys and values packed in one input: only separate ones are supported")
    if past_length is not None or cache_indirection is not None or b.wants(3):
        raise Refusal("shares a buffer with its past, or gives its scores: neither is supported")
    if (past_key is None) != (past_value is None):
        raise Refusal("takes past_key and past_value together")
    cached = key.rank == 4
    sizes = [item.shape[-1] for item in (query, key, value)]
    if bias is not None:
        if cached:
            query = query + bias.part(0, 0, sizes[0])
        else:
            each = zip((query, key, value), _columns(bias, sizes), strict=True)
            query, key, value = (item + part for item, part in each)
    k, v = (key, value) if cached else (split_heads(key, num_heads), split_heads(value, num_heads))
    past = None if past_key is None or past_value is None else (past_key, past_value)
    scores = Scores(key_padding_mask, attention_bias, bool(unidirectional), scale, mask_filter_value)
    return attend(b, split_heads(query, num_heads), k, v, past, scores)
