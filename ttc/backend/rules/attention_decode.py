"""Lowering of attention with one query for each sequence: the keys are shared by all cores, not the queries."""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.attention_mask import additive_mask
from ttc.backend.rules.heads import cut_from_one_row, on_core
from ttc.backend.rules.moves import permuted, reshaped
from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode
from ttc.calls.binary import Add
from ttc.calls.convolution import CoreRectangle
from ttc.calls.heads_decode import NlpConcatHeadsDecode, on_one_core
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.shape import Permute, Reshape
from ttc.calls.shards import rectangle
from ttc.ir import DRAM, TILE, DType, TensorType, Value

MOST_KEYS = 256
"""The most keys of a chunk: larger chunks take more of L1, and leave cores without one."""


def decoded(op: ops.Attention, q: Value, k: Value, v: Value, to: Lowering) -> Value:
    """Attend with q [B, H, 1, D] as [1, B, H, D]; return that shape."""
    return to.call(
        ScaledDotProductAttentionDecode(
            on_core(q) or _by_sequence(q, to),
            k,
            v,
            program_config=SDPAProgramConfig(to.target.grid, TILE, _chunk(k.shape[2]), False),
            is_causal=False,
            attn_mask=_mask(op, to),
            scale=op.scale,
        )
    )


def joined(y: Value, to: Lowering) -> Value:
    """Return the heads [1, B, H, D] of one token of each sequence as rows [B, 1, 1, H * D]."""
    _, batch, heads, size = y.shape
    cores = rectangle(heads, to.target.grid)
    if batch > 1 or cores is None:
        return reshaped(y, (batch, 1, 1, heads * size), to)
    # a reshape of tiles takes ten times as long as the way over one core
    y = to.call(
        NlpConcatHeadsDecode(
            to.call(ToMemoryConfig(y, on_one_core(heads, size))), num_heads=heads, sub_core_grids=CoreRectangle(*cores)
        )
    )
    first = to.call(Reshape(y, (1, 1, 1, heads * size), padded_shape=y.shape))
    return to.call(ToMemoryConfig(first, DRAM))


def by_sequence(x: Value, to: Lowering) -> Value:
    """Return one row of each sequence, [B, H, 1, D], as [1, B, H, D]."""
    match x.op:
        case ops.Permute(x=rows, dims=(2, 1, 0, 3)) if rows.shape[0] == 1:  # [1, H, B, D]: tokens of one row
            return permuted(to.tile(to(rows)), (0, 2, 1, 3), to)
    rows = cut_from_one_row(x, to)
    return _by_sequence(to(x), to) if rows is None else permuted(rows, (0, 2, 1, 3), to)


def _by_sequence(q: Value, to: Lowering) -> Value:
    batch, heads, _, size = q.shape
    turned = to.call(Permute(to.tile(q), (0, 2, 1, 3)))  # one query: a reshape, which takes three times as long
    return to.tile(reshaped(turned, (1, batch, heads, size), to))


def _mask(op: ops.Attention, to: Lowering) -> Value | None:
    """Return the mask [1 or B, 1 or H, 1, Sk] as [1 or B, 1, H, Sk]."""
    mask = additive_mask(op, to)
    if mask is None:
        return None
    batch, heads, _, keys = mask.shape
    mask = to.tile(reshaped(mask, (batch, 1, heads, keys), to))
    if heads == op.q.shape[1]:
        return mask
    zeros = to.derive(ops.Full(TensorType(DType.f32, (1, 1, op.q.shape[1], 1)), 0.0))
    return to.call(Add(mask, to.upload(zeros, to.dtype)))  # a sum spreads rows within tiles, `expand` leaves tiles


def _chunk(keys: int) -> int:
    """Return the largest power of two that divides the keys, at most `MOST_KEYS`."""
    return min(keys & -keys, MOST_KEYS)
