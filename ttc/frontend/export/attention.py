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


@aten("_native_multi_head_attention")
def native_multi_head_attention(
    b: ExportBuilder,
    query: Value,
    key: Value,
    value: Value,
    embed_dim: int,
    num_head: int,
    qkv_weight: Value,
    qkv_bias: Value | None,
    proj_weight: Value,
    proj_bias: Value | None,
    mask: Value | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
) -> tuple[Value, ...]:
    """nn.MultiheadAttention in one op: [B, S, E] in and out, and the weights [B, Sq, Sk] if they are read."""
    weights = compose.parts(b, qkv_weight, [embed_dim] * 3, 0)
    biases = (None,) * 3 if qkv_bias is None else compose.parts(b, qkv_bias, [embed_dim] * 3, 0)
    inputs = zip((query, key, value), weights, biases, strict=True)
    q, k, v = (_split(b, b(ops.Linear(x, w, bias)), num_head) for x, w, bias in inputs)
    scale = 1 / math.sqrt(embed_dim // num_head)
    visible = None if mask is None else _visible(b, mask, mask_type)
    y = compose.permute(b, b(ops.Attention(q, k, v, visible, False, scale)), (0, 2, 1, 3))
    y = b(ops.Linear(compose.reshape(b, y, query.shape), proj_weight, proj_bias))
    if not b.wants(1):
        return (y,)
    scores = b(ops.Matmul(b(ops.Mul(q, cast(b, scale, q.dtype))), compose.transpose(b, k, 2, 3)))
    hidden = None if visible is None else cast(b, -math.inf, q.dtype)
    scores = scores if hidden is None else b(ops.Where(visible, scores, hidden))  # type: ignore[arg-type]
    shares = b(ops.Softmax(scores, 3))
    return y, b(ops.Mean(shares, (1,), keep=False)) if average_attn_weights else shares


def _split(b: ExportBuilder, x: Value, heads: int) -> Value:
    """[B, S, H * D] as [B, H, S, D]."""
    return compose.permute(b, compose.reshape(b, x, (*x.shape[:2], heads, -1)), (0, 2, 1, 3))


def _visible(b: ExportBuilder, mask: Value, kind: int | None) -> Value:
    """Where a query sees a key; torch's masks are true, or not 0, where it does not: of kind 0 [Sq, Sk], 1 [B, Sk]."""
    hidden = cast(b, mask, DType.bool)
    if kind == 1 and mask.type.rank == 2:
        hidden = compose.reshape(b, hidden, (mask.shape[0], 1, 1, mask.shape[1]))
    return b(ops.Not(compose.reshape(b, hidden, (1,) * (4 - hidden.type.rank) + hidden.shape)))


@aten("_transformer_encoder_layer_fwd")
def transformer_encoder_layer(
    b: ExportBuilder,
    src: Value,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Value,
    qkv_bias: Value,
    proj_weight: Value,
    proj_bias: Value,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: Value,
    norm_bias_1: Value,
    norm_weight_2: Value,
    norm_bias_2: Value,
    ffn_weight_1: Value,
    ffn_bias_1: Value,
    ffn_weight_2: Value,
    ffn_bias_2: Value,
    mask: Value | None = None,
    mask_type: int | None = None,
) -> Value:
    """nn.TransformerEncoderLayer: attention and two products, each added to its input; norms before or after."""

    def first_norm(x: Value) -> Value:
        return b(ops.LayerNorm(x, norm_weight_1, norm_bias_1, 1, eps))

    def second_norm(x: Value) -> Value:
        return b(ops.LayerNorm(x, norm_weight_2, norm_bias_2, 1, eps))

    def attention(x: Value) -> Value:
        projections = (qkv_weight, qkv_bias, proj_weight, proj_bias)
        return native_multi_head_attention(
            b, x, x, x, embed_dim, num_heads, *projections, mask, False, True, mask_type
        )[0]

    def products(x: Value) -> Value:
        inner = b(ops.Linear(x, ffn_weight_1, ffn_bias_1))
        return b(ops.Linear(b(ops.Gelu(inner) if use_gelu else ops.Relu(inner)), ffn_weight_2, ffn_bias_2))

    if norm_first:
        x = b(ops.Add(src, attention(first_norm(src))))
        return b(ops.Add(x, products(second_norm(x))))
    x = first_norm(b(ops.Add(src, attention(src))))
    return second_norm(b(ops.Add(x, products(x))))
