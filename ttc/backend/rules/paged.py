"""Lowering of writes into pools of blocks, where the blocks lie, and of attention to them."""

from __future__ import annotations

import numpy as np

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.attention_decode import by_sequence
from ttc.backend.rules.moves import reshaped
from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.cache import PagedFillCache, PagedUpdateCache, shards
from ttc.calls.call import buffer_of
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.paged_attention import ChunkedScaledDotProductAttention, PagedScaledDotProductAttentionDecode
from ttc.calls.shards import rectangle
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Input, Layout, Value

MOST_QUERIES, MOST_KEYS = 128, 256
"""The most queries and keys of a chunk: larger chunks take more of L1."""


@lowers(ops.FillBlocks)
def fill_blocks(op: ops.FillBlocks, to: Lowering) -> Value:
    """Lower to one call that copies the tiles of all blocks."""
    pool = _pool(op, to)
    rows = to.cast(to.tile(to(op.new)), pool.dtype)
    return to.call(PagedFillCache(pool, rows, _table(op.blocks, (1, op.blocks.type.numel), to)))


@lowers(ops.WriteRows)
def write_rows(op: ops.WriteRows, to: Lowering) -> Value:
    """Lower to one call, whose rows lie in L1: those of each sequence on a core."""
    pool = _pool(op, to)
    batch = op.new.shape[0]
    cores = rectangle(batch, to.target.grid)
    if cores is None:
        raise Refusal(f"{batch} sequences do not fill a rectangle of the card's {to.target.grid} cores")
    rows = to.call(ToMemoryConfig(by_sequence(op.new, to), shards(cores, op.new.shape[3])))
    table, positions = _table(op.table, op.table.shape, to), _table(op.positions, op.positions.shape, to)
    return to.call(PagedUpdateCache(pool, rows, update_idxs_tensor=positions, page_table=table))


@lowers(ops.PagedAttention)
def paged_attention(op: ops.PagedAttention, to: Lowering) -> Value:
    """Lower to a value [B, H, T, D]: one query of each sequence, or many of one."""
    if op.q.shape[2] == 1:
        return reshaped(attend_by_sequence(op, to), op.q.shape, to)
    return to.call(
        ChunkedScaledDotProductAttention(
            to.tile(to(op.q)), *_pools(op, to),
            chunk_start_idx_tensor=_table(op.positions, (1,), to),
            scale=float(np.float32(op.scale)), sliding_window_size=op.window,
            program_config=_chunks(op, to),
        )
    )  # fmt: skip


def attend_by_sequence(op: ops.PagedAttention, to: Lowering) -> Value:
    """Attend by one query of each sequence; return [1, B, H, D]."""
    return to.call(
        PagedScaledDotProductAttentionDecode(
            by_sequence(op.q, to), *_pools(op, to),
            cur_pos_tensor=_table(op.positions, op.positions.shape, to),
            scale=op.scale, sliding_window_size=op.window,
            program_config=_chunks(op, to),
        )
    )  # fmt: skip


def _pools(op: ops.PagedAttention, to: Lowering) -> tuple[Value, Value, Value]:
    """Return keys and values as stored, and the page table."""
    if to.dtype is not DType.bf16:
        raise Refusal("attention to a pool of blocks computes in bf16 alone: compile with dtype bf16, bfp8 or bfp4")
    return to.stored(op.keys), to.stored(op.values), _table(op.table, op.table.shape, to)


def _pool(op: ops.FillBlocks | ops.WriteRows, to: Lowering) -> Value:
    """Return the pool as stored; Refusal unless its blocks may be written where they lie."""
    pool = to.stored(op.pool)
    if op not in to.in_place or not isinstance(buffer_of(pool).op, Input):
        raise Refusal("blocks are written where they lie: a pool must be a state whose old numbers nothing else reads")
    return pool


def _table(value: Value, shape: tuple[int, ...], to: Lowering) -> Value:
    """Return integers in rows."""
    static = to.static(value)
    if static is not None:
        return reshaped(to.upload(static, DType.i32, Layout.ROW_MAJOR), shape, to)
    return reshaped(to.row_major(to(value)), shape, to)


def _chunks(op: ops.PagedAttention, to: Lowering) -> SDPAProgramConfig:
    """Choose chunks that divide every block: a sequence's next tokens begin at any block."""
    block = op.keys.shape[2]
    size = max(block & -block, TILE)
    return SDPAProgramConfig(to.target.grid, min(size, MOST_QUERIES), min(size, MOST_KEYS), False)
