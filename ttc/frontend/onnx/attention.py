"""ONNX Attention (opset 23 on): the plain forms as one op, the rest by ONNX's own function body."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import EXPAND, onnx_op
from ttc.ir import DType
from ttc.ops.expr import Expr, apply


@onnx_op(since=23)
def Attention(
    b: Emitter, q: Expr, k: Expr, v: Expr, mask: Expr | None = None, past_key: Expr | None = None,
    past_value: Expr | None = None, nonpad_kv_seqlen: Expr | None = None, *, is_causal=0, kv_num_heads=0,
    left_window_size=-1, q_num_heads=0, qk_matmul_output_mode=0, right_window_size=-1, scale=None, softcap=0.0,
    softmax_precision=None,
) -> Expr | object:  # fmt: skip
    """Read q, k, v as [B, H, S, D], or as [B, S, H * D] with the numbers of heads given."""
    extra = past_key is not None or nonpad_kv_seqlen is not None
    windowed = left_window_size >= 0 or right_window_size >= 0
    if extra or windowed or softcap or any(map(b.wants, (1, 2, 3))) or softmax_precision not in (None, 1):
        return EXPAND
    flat = q.rank == 3
    if flat:
        q = split_heads(q, q_num_heads)
        k, v = (split_heads(item, kv_num_heads) for item in (k, v))
    if mask is not None and (mask.dtype not in (DType.bool, q.dtype) or mask.shape[-1] != k.shape[2]):
        return EXPAND
    y = apply(ops.Attention, q, k, v, mask, bool(is_causal), 1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    return merge_heads(y) if flat else y


def split_heads(x: Expr, heads: int) -> Expr:
    """Split heads: [B, S, H * D] -> [B, H, S, D]."""
    batch, length, width = x.shape
    if not heads or width % heads:
        raise Refusal(f"{width} channels are no multiple of {heads} heads")
    return x.reshape(batch, length, heads, width // heads).permute(0, 2, 1, 3)


def merge_heads(x: Expr) -> Expr:
    """Merge heads: [B, H, S, D] -> [B, S, H * D]."""
    batch, heads, length, width = x.shape
    return x.permute(0, 2, 1, 3).reshape(batch, length, heads * width)
