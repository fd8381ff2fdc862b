"""Numerics of attention to pools of blocks: that of the rows which a page table names."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttc.calls.paged_attention import ChunkedScaledDotProductAttention, PagedScaledDotProductAttentionDecode
from ttc.runtime.emulator.attention import attended
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(PagedScaledDotProductAttentionDecode)
def paged_decode(
    call: PagedScaledDotProductAttentionDecode,
    mode: Mode,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    page_table_tensor: Tensor,
    cur_pos_tensor: Tensor,
) -> Tensor:
    """Attend by one query of each sequence, [1, B, H, D]; one that is skipped has zeros, on the card any numbers."""
    skipped = cur_pos_tensor < 0
    pools = (input_tensor_k, input_tensor_v)
    y = _attended(call, mode, input_tensor_q.permute(1, 2, 0, 3), pools, page_table_tensor, cur_pos_tensor.clamp(0))
    return y.masked_fill(skipped[:, None, None, None], 0.0).permute(2, 0, 1, 3)


@emulates(ChunkedScaledDotProductAttention)
def chunked_attention(
    call: ChunkedScaledDotProductAttention,
    mode: Mode,
    input_tensor_q: Tensor,
    input_tensor_k: Tensor,
    input_tensor_v: Tensor,
    page_table_tensor: Tensor,
    chunk_start_idx_tensor: Tensor,
) -> Tensor:
    """Attend by the queries of one sequence; a start inside a chunk is an IndexError."""
    start, config = int(chunk_start_idx_tensor), call.program_config
    if start < 0 or start % config.q_chunk_size or start % config.k_chunk_size:
        raise IndexError(f"queries from row {start} on do not begin a chunk")
    pools = (input_tensor_k, input_tensor_v)
    return _attended(call, mode, input_tensor_q, pools, page_table_tensor, chunk_start_idx_tensor)


def _attended(
    call: PagedScaledDotProductAttentionDecode | ChunkedScaledDotProductAttention,
    mode: Mode,
    q: Tensor,
    pools: tuple[Tensor, Tensor],
    table: Tensor,
    positions: Tensor,
) -> Tensor:
    """Attend by q [B, H, T, D] at positions[b] + t to the rows up to there; IndexError for blocks that are none."""
    if table.min() < 0 or table.max() >= pools[0].shape[0]:
        raise IndexError(f"a page table names blocks that a pool of {pools[0].shape[0]} blocks does not have")
    k, v = (pool[table.long()].transpose(1, 2).flatten(2, 3) for pool in pools)
    own = positions[:, None, None] + torch.arange(q.shape[2])[:, None]
    rows = torch.arange(k.shape[2])
    seen = rows <= own
    if call.sliding_window_size is not None:
        seen &= rows > own - call.sliding_window_size
    mask = torch.zeros(seen.shape).masked_fill(~seen, -math.inf)[:, None]
    return attended(call, mode, (q, k, v), mask, False)
