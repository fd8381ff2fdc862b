"""The reading of scaled dot-product attention."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten, static
from ttc.ir import DType
from ttc.ir.types import broadcast
from ttc.ops.expr import Expr, apply, where

EXCLUDED = -1e30
"""The greatest number of an added mask that leaves a score no weight."""


@aten("scaled_dot_product_attention")
def scaled_dot_product_attention(
    b: ExportBuilder,
    query: Expr,
    key: Expr,
    value: Expr,
    attn_mask: Expr | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Expr:
    if dropout_p:
        raise Refusal("attention with dropout: export the model in eval mode (model.eval())")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    shared = (query, attn_mask) if enable_gqa else (query, key, value, attn_mask)
    lead = broadcast(*(x.shape[:-2] for x in shared if x is not None))
    q = _heads(query, lead)
    k, v = (_heads(x, (*lead[:-1], x.shape[-3]) if enable_gqa else lead) for x in (key, value))
    mask = None if attn_mask is None else _mask(attn_mask, lead)
    if mask is not None and not is_causal:
        mask, is_causal = _plain_mask(b, mask, (q.shape[2], k.shape[2]))
    if mask is not None and mask.dtype is not DType.bool:
        mask = mask.cast(q.dtype)
    y = apply(ops.Attention, q, k, v, mask, is_causal, scale)
    return y.reshape(*b.result.shape)


def _heads(x: Expr, lead: tuple[int, ...]) -> Expr:
    """Broadcast the batch dimensions of x [.., S, D] to lead, and merge or add dimensions: [B, H, S, D]."""
    x = x.expand(*lead, *x.shape[-2:])
    heads = lead[-1] if lead else 1
    return x.reshape(math.prod(lead[:-1]), heads, *x.shape[-2:])


def _mask(mask: Expr, lead: tuple[int, ...]) -> Expr:
    """Return a mask that broadcasts to [B, H, Sq, Sk], no larger than its batch dimensions require."""
    rank = max(len(lead), 2) + 2
    mask = mask.reshape(*(1,) * (rank - mask.rank), *mask.shape)
    if rank > 4 and set(mask.shape[:-3]) != {1}:
        mask = mask.expand(*lead[:-1], *mask.shape[-3:])
    return mask.reshape(math.prod(mask.shape[:-3]), *mask.shape[-3:])


def _plain_mask(b: ExportBuilder, mask: Expr, sizes: tuple[int, int]) -> tuple[Expr | None, bool]:
    """Return the mask that remains, if any, and whether attention is causal: the mask hid the future alone."""
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


@aten("_native_multi_head_attention")
def native_multi_head_attention(
    b: ExportBuilder,
    query: Expr,
    key: Expr,
    value: Expr,
    embed_dim: int,
    num_head: int,
    qkv_weight: Expr,
    qkv_bias: Expr | None,
    proj_weight: Expr,
    proj_bias: Expr | None,
    mask: Expr | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
) -> tuple[Expr, ...]:
    """Read nn.MultiheadAttention in one op: [B, S, E] in and out, and the weights [B, Sq, Sk] if they are read."""
    weights = compose.parts(qkv_weight, [embed_dim] * 3, 0)
    biases = (None,) * 3 if qkv_bias is None else compose.parts(qkv_bias, [embed_dim] * 3, 0)
    inputs = zip((query, key, value), weights, biases, strict=True)
    q, k, v = (_split(apply(ops.Linear, x, w, bias), num_head) for x, w, bias in inputs)
    scale = 1 / math.sqrt(embed_dim // num_head)
    visible = None if mask is None else _visible(mask, mask_type)
    y = apply(ops.Attention, q, k, v, visible, False, scale).permute(0, 2, 1, 3)
    y = apply(ops.Linear, y.reshape(*query.shape), proj_weight, proj_bias)
    if not b.wants(1):
        return (y,)
    scores = (q * scale) @ compose.transpose(k, 2, 3)
    scores = scores if visible is None else where(visible, scores, -math.inf)
    shares = apply(ops.Softmax, scores, 3)
    return y, shares.mean((1,)) if average_attn_weights else shares


def _split(x: Expr, heads: int) -> Expr:
    """Split heads: [B, S, H * D] as [B, H, S, D]."""
    return x.view(*x.shape[:2], heads, -1).permute(0, 2, 1, 3)


def _visible(mask: Expr, kind: int | None) -> Expr:
    """Return a mask that is true where a query sees a key.

    A mask of torch's is true, or not 0, where the key is hidden: [Sq, Sk] of kind 0, [B, Sk] of kind 1.
    """
    hidden = mask.cast(DType.bool)
    if kind == 1 and mask.rank == 2:
        hidden = hidden.reshape(mask.shape[0], 1, 1, mask.shape[1])
    return ~hidden.reshape(*(1,) * (4 - hidden.rank), *hidden.shape)


@aten("_transformer_encoder_layer_fwd")
def transformer_encoder_layer(
    b: ExportBuilder,
    src: Expr,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Expr,
    qkv_bias: Expr,
    proj_weight: Expr,
    proj_bias: Expr,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: Expr,
    norm_bias_1: Expr,
    norm_weight_2: Expr,
    norm_bias_2: Expr,
    ffn_weight_1: Expr,
    ffn_bias_1: Expr,
    ffn_weight_2: Expr,
    ffn_bias_2: Expr,
    mask: Expr | None = None,
    mask_type: int | None = None,
) -> Expr:
    """Read nn.TransformerEncoderLayer: attention and two products, each added to its input; norms before or after."""

    def first_norm(x: Expr) -> Expr:
        return apply(ops.LayerNorm, x, norm_weight_1, norm_bias_1, 1, eps)

    def second_norm(x: Expr) -> Expr:
        return apply(ops.LayerNorm, x, norm_weight_2, norm_bias_2, 1, eps)

    def attention(x: Expr) -> Expr:
        projections = (qkv_weight, qkv_bias, proj_weight, proj_bias)
        return native_multi_head_attention(
            b, x, x, x, embed_dim, num_heads, *projections, mask, False, True, mask_type
        )[0]

    def products(x: Expr) -> Expr:
        inner = apply(ops.Linear, x, ffn_weight_1, ffn_bias_1)
        return apply(ops.Linear, apply(ops.Gelu if use_gelu else ops.Relu, inner), ffn_weight_2, ffn_bias_2)

    if norm_first:
        x = src + attention(first_norm(src))
        return x + products(second_norm(x))
    x = first_norm(src + attention(src))
    return second_norm(x + products(x))
