"""Lowering of attention with one query for each sequence: the keys are shared by all cores, not the queries."""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.attention_mask import additive_mask
from ttc.backend.rules.moves import reshaped
from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode, takes_heads
from ttc.calls.binary import Add
from ttc.calls.shape import Permute
from ttc.ir import TILE, DType, TensorType, Value

MOST_KEYS = 256
"""The most keys of a chunk: larger chunks take more of L1, and leave cores without one."""


def decodes(op: ops.Attention, to: Lowering) -> bool:
    """Return whether TTNN's call for one query takes this attention: rows of caches in whole tiles, no causality."""
    batch, heads, queries, size = op.q.shape
    whole = op.k.shape[2] % TILE == 0 and size % TILE == 0 and takes_heads(heads)
    return queries == 1 and whole and not op.causal and batch <= to.target.cores


def decoded(op: ops.Attention, q: Value, k: Value, v: Value, to: Lowering) -> Value:
    """Attend with q [B, H, 1, D] as [1, B, H, D]; return that shape."""
    batch, heads, _, size = q.shape
    by_sequence = to.call(Permute(to.tile(q), (0, 2, 1, 3)))  # one query: a reshape, which takes three times as long
    return to.call(
        ScaledDotProductAttentionDecode(
            to.tile(reshaped(by_sequence, (1, batch, heads, size), to)),
            k,
            v,
            program_config=SDPAProgramConfig(to.target.grid, TILE, _chunk(k.shape[2]), False),
            is_causal=False,
            attn_mask=_mask(op, to),
            scale=op.scale,
        )
    )


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
