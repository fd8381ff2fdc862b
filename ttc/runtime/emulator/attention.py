"""Numerics of attention, and of heads split and joined."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.attention import (
    ConcatenateHeads,
    FillImplicitTilePadding,
    ScaledDotProductAttention,
    SplitQueryKeyValueAndSplitHeads,
)
from ttc.calls.attention_decode import ScaledDotProductAttentionDecode
from ttc.calls.joint_attention import JointScaledDotProductAttention
from ttc.calls.paged_attention import PagedAttentionCall
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.passes import product
from ttc.runtime.emulator.registry import emulates

Attending = (
    ScaledDotProductAttention | ScaledDotProductAttentionDecode | JointScaledDotProductAttention | PagedAttentionCall
)
"""Calls that attend: they differ in where queries, keys and values lie, and in the keys that a query sees."""


@emulates(ScaledDotProductAttention)
def attention(
    call: ScaledDotProductAttention,
    mode: Mode,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    attn_mask: Tensor | None = None,
) -> Tensor:
    """Attend to the keys that the mask and causality leave."""
    y = attended(call, mode, (input_tensor_q, input_tensor_k, input_tensor_v), attn_mask, call.is_causal)
    if call.output_concat_heads:
        y = y.permute(0, 2, 1, 3).reshape(y.shape[0], 1, y.shape[2], -1)
    return y


@emulates(ScaledDotProductAttentionDecode)
def attention_decode(
    call: ScaledDotProductAttentionDecode,
    mode: Mode,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    attn_mask: Tensor | None = None,
) -> Tensor:
    """Attend by one query of each sequence: [1, B, H, D] as [B, H, 1, D]."""
    queries = input_tensor_q.permute(1, 2, 0, 3)
    mask = None if attn_mask is None else attn_mask.transpose(1, 2)
    y = attended(call, mode, (queries, input_tensor_k, input_tensor_v), mask, False)
    return y.permute(2, 0, 1, 3)


@emulates(JointScaledDotProductAttention)
def joint_attention(
    call: JointScaledDotProductAttention,
    mode: Mode,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    joint_tensor_q: Tensor,
    joint_tensor_k: Tensor,
    joint_tensor_v: Tensor,
) -> tuple[Tensor, ...]:
    """Attend with the joint rows behind the others."""
    rows = [input_tensor_q.shape[2], joint_tensor_q.shape[2]]
    pairs = (input_tensor_q, joint_tensor_q), (input_tensor_k, joint_tensor_k), (input_tensor_v, joint_tensor_v)
    sides = [torch.cat(pair, 2) for pair in pairs]
    return attended(call, mode, sides, None, False).split(rows, 2)


def attended(
    call: Attending,
    mode: Mode,
    sides: Sequence[Tensor],
    mask: Tensor | None,
    causal: bool,
) -> Tensor:
    """Attend with scores and sums in fp32; in `tensix` mode weights are rounded to bf16 for the second product."""
    q, k, v = sides
    scale = 1 / math.sqrt(q.shape[-1]) if call.scale is None else call.scale
    if mode is Mode.exact:
        grouped = q.shape[1] != k.shape[1]
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale, enable_gqa=grouped)
    shared = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(shared, 1) for x in (k, v))
    scores = product(q, k.mT, call.compute, torch.matmul) * scale
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
    if mask is not None:
        scores = scores + mask
    weights = (scores - scores.amax(-1, keepdim=True)).exp().bfloat16().float()
    return product(weights, v, call.compute, torch.matmul) / weights.sum(-1, keepdim=True)


@emulates(SplitQueryKeyValueAndSplitHeads, stored=True)
def split_heads(
    call: SplitQueryKeyValueAndSplitHeads, mode: Mode, input_tensor: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut columns into q, k and v, and each into heads."""
    keys = call.num_kv_heads or call.num_heads
    head = input_tensor.shape[-1] // (call.num_heads + 2 * keys)
    parts = input_tensor.split([call.num_heads * head, keys * head, keys * head], -1)
    q, k, v = (part.unflatten(-1, (-1, head)).transpose(1, 2) for part in parts)
    return q, (k.mT if call.transpose_key else k), v


@emulates(ConcatenateHeads, stored=True)
def concatenate_heads(call: ConcatenateHeads, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Put heads side by side."""
    return input_tensor.transpose(1, 2).flatten(2)


@emulates(FillImplicitTilePadding, stored=True)
def fill_padding(call: FillImplicitTilePadding, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return the tensor itself: the emulator keeps no padding."""
    return input_tensor
