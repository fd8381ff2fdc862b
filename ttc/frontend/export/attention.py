"""The reading of scaled dot-product attention."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten, cast, static
from ttc.ir import DType, Value
from ttc.ops.rules import broadcast

EXCLUDED = -1e30
"""Added to a score, this or less leaves nothing of it."""


@aten("scaled_dot_product_attention")
def scaled_dot_product_attention(
    b: ExportBuilder,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    if dropout_p:
        raise Refusal("attention with dropout: export the model in eval mode (model.eval())")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    shared = (query, attn_mask) if enable_gqa else (query, key, value, attn_mask)
    lead = broadcast(*(x.shape[:-2] for x in shared if x is not None))
    q = _heads(b, query, lead)
    k, v = (_heads(b, x, (*lead[:-1], x.shape[-3]) if enable_gqa else lead) for x in (key, value))
    mask = None if attn_mask is None else _mask(b, attn_mask, lead)
    if mask is not None and not is_causal:
        mask, is_causal = _plain_mask(b, mask, (q.shape[2], k.shape[2]))
    if mask is not None and mask.dtype is not DType.bool:
        mask = cast(b, mask, q.dtype)
    y = b(ops.Attention(q, k, v, mask, is_causal, scale))
    return compose.reshape(b, y, b.result.shape)


def _heads(b: ExportBuilder, x: Value, lead: tuple[int, ...]) -> Value:
    """x [*lead, S, D], its batch dimensions broadcast to lead, as [B, H, S, D]."""
    x = compose.expand(b, x, (*lead, *x.shape[-2:]))
    heads = lead[-1] if lead else 1
    return compose.reshape(b, x, (math.prod(lead[:-1]), heads, *x.shape[-2:]))


def _mask(b: ExportBuilder, mask: Value, lead: tuple[int, ...]) -> Value:
    """A mask that broadcasts to [B, H, Sq, Sk], kept as small as it is where its batch dimensions allow."""
    rank = max(len(lead), 2) + 2
    mask = compose.reshape(b, mask, (1,) * (rank - mask.type.rank) + mask.shape)
    if rank > 4 and set(mask.shape[:-3]) != {1}:
        mask = compose.expand(b, mask, (*lead[:-1], *mask.shape[-3:]))
    return compose.reshape(b, mask, (math.prod(mask.shape[:-3]), *mask.shape[-3:]))


def _plain_mask(b: ExportBuilder, mask: Value, sizes: tuple[int, int]) -> tuple[Value | None, bool]:
    """What remains of a mask, and whether attention is causal: nothing where it hides nothing, or the future alone."""
    known = static(b, mask)
    if known is None:
        return mask, False
    visible = known if known.dtype is torch.bool else known == 0
    if bool(visible.all()):
        return None, False
    hidden = ~known if known.dtype is torch.bool else known <= EXCLUDED
    future = torch.ones(sizes, dtype=torch.bool).triu(1)
    if tuple(known.shape[-2:]) == sizes and sizes[0] == sizes[1] and _all(hidden, future) and _all(visible, ~future):
        return None, True
    return mask, False


def _all(found: torch.Tensor, pattern: torch.Tensor) -> bool:
    return bool((found == pattern).all())
