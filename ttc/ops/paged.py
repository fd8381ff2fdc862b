"""Ops on pools of blocks: keys and values of many sequences, each in blocks that a page table names.

A pool [N, H, S, D] holds N blocks of S rows for each of H heads. A row of a page table i32[B, P] names the blocks of a
sequence in order: row r of sequence b lies in block table[b, r // S], at r % S (Kwon et al. 2023, "PagedAttention").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import same_dtype

__all__ = ["FillBlocks", "PagedAttention", "WriteRows"]


def _check_pool(pool: Value, rows: Value) -> None:
    """Require a pool, and rows [.., H, .., D] of its heads."""
    require(pool.type.rank == rows.type.rank == 4, f"a pool and rows have rank 4, got {pool.type}, {rows.type}")
    same_dtype(pool, rows)
    sizes = (pool.shape[1], pool.shape[3])
    require((rows.shape[1], rows.shape[3]) == sizes, f"rows {rows.type} do not fit a pool {pool.type}")


def _check_sequences(batch: int, table: Value, positions: Value) -> None:
    """Require a page table with a row, and positions with a number, for each sequence."""
    require(
        table.dtype.is_integer and positions.dtype.is_integer, f"needs integers, got {table.type}, {positions.type}"
    )
    fits = table.type.rank == 2 and table.shape[0] == batch and positions.shape == (batch,)
    require(fits, f"a table {table.type} and positions {positions.type} are not of {batch} sequences")


@dataclass(frozen=True)
class FillBlocks(Op):
    """The pool with block blocks[i] = new[0, :, i * S : (i + 1) * S] for every i; none for a number below 0.

    new [1, H, n * S, D], blocks int[n].
    """

    pool: Value
    new: Value
    blocks: Value
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("pool", "new"), moves=True)

    def infer(self) -> TensorType:
        _check_pool(self.pool, self.new)
        require(self.blocks.dtype.is_integer, f"the blocks must be integers, got {self.blocks.type}")
        whole = self.blocks.type.rank == 1 and self.new.shape[2] == self.blocks.type.numel * self.pool.shape[2]
        require(whole and self.new.shape[0] == 1, f"rows {self.new.type} are not those of blocks {self.blocks.type}")
        return self.pool.type

    def eval(self, pool: Tensor, new: Tensor, blocks: Tensor) -> Tensor:
        found = pool.clone()
        for block, part in zip(blocks.tolist(), new[0].split(pool.shape[2], 1), strict=True):
            if block >= 0:
                found[block] = part
        return found


@dataclass(frozen=True)
class WriteRows(Op):
    """The pool with new[b, :, 0] at row positions[b] of every sequence b; none at a position below 0.

    new [B, H, 1, D], table int[B, P], positions int[B].
    """

    pool: Value
    new: Value
    table: Value
    positions: Value
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("pool", "new"), moves=True)

    def infer(self) -> TensorType:
        _check_pool(self.pool, self.new)
        require(self.new.shape[2] == 1, f"needs one row for each sequence, got {self.new.type}")
        _check_sequences(self.new.shape[0], self.table, self.positions)
        return self.pool.type

    def eval(self, pool: Tensor, new: Tensor, table: Tensor, positions: Tensor) -> Tensor:
        found, size = pool.clone(), pool.shape[2]
        for sequence, position in enumerate(positions.tolist()):
            if position >= 0:
                found[table[sequence, position // size], :, position % size] = new[sequence, :, 0]
        return found


@dataclass(frozen=True)
class PagedAttention(Op):
    """softmax(scale * q @ k.T) @ v over the rows of each sequence up to the query's own.

    q [B, H, T, D] are queries at positions[b] .. positions[b] + T - 1; keys and values are pools [N, Hkv, S, D] with
    Hkv dividing H (grouped queries), table int[B, P], positions int[B]. With a `window` a query attends to that many
    rows, the last of which is its own. A sequence whose position is below 0 has a result of no use.
    """

    q: Value
    keys: Value
    values: Value
    table: Value
    positions: Value
    scale: float = 1.0
    window: int | None = None
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST, within=("values",))

    def infer(self) -> TensorType:
        q, keys, values = self.q.type, self.keys.type, self.values.type
        require(q.rank == keys.rank == 4 and keys == values, f"keys {keys} and values {values} are no pools for q {q}")
        same_dtype(self.q, self.keys)
        require(q.shape[3] == keys.shape[3] and q.shape[1] % keys.shape[1] == 0, f"q {q} does not fit a pool {keys}")
        _check_sequences(q.shape[0], self.table, self.positions)
        require(self.window is None or self.window > 0, f"a window of {self.window} rows")
        return self.q.type

    def eval(self, q: Tensor, keys: Tensor, values: Tensor, table: Tensor, positions: Tensor) -> Tensor:
        # rows of each sequence in order: [B, P, H, S, D] -> [B, H, P * S, D]
        k, v = (pool[table.long()].transpose(1, 2).flatten(2, 3) for pool in (keys, values))
        own = positions[:, None, None] + torch.arange(q.shape[2])[:, None]
        rows = torch.arange(k.shape[2])
        seen = rows <= own
        if self.window is not None:
            seen = seen & (rows > own - self.window)
        grouped = q.shape[1] != k.shape[1]
        return F.scaled_dot_product_attention(q, k, v, seen[:, None], scale=self.scale, enable_gqa=grouped)
