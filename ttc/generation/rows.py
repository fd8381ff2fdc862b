"""Caches as a step of generation sees them while it is exported: rows of fixed tensors, written at a position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer, StaticLayer

import ttc.frontend.export.paged_ops  # noqa: F401  (defines torch.ops.ttc)
from ttc.ir import TILE


def by_tiles(tokens: int, capacity: int) -> bool:
    """Return whether so many tokens are written as whole tiles of rows."""
    return tokens > 1 and tokens % TILE == capacity % TILE == 0


class Rows(StaticLayer):
    """Keys and values [batch, heads, capacity, size] of a layer, whose rows from `start` (i64[1]) on are written.

    Tokens attend to the first `attended` rows, which theirs must be among.
    Where many tokens begin a tile (`aligned`), whole tiles of them are written, and no other row is touched. A layer
    with a sliding window keeps all rows, too: the mask leaves out those before the window.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, start: Tensor, attended: int, aligned: bool = False):
        super().__init__(attended)
        self.keys, self.values, self.cumulative_length, self.aligned = keys, values, start, aligned
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write rows [batch, heads, tokens, size]; return those that are attended to."""
        keys, values = self._written(self.keys, key_states), self._written(self.values, value_states)
        if self.max_cache_len == keys.shape[2]:
            return keys, values
        return keys[:, :, : self.max_cache_len], values[:, :, : self.max_cache_len]

    def _written(self, cache: Tensor, rows: Tensor) -> Tensor:
        if self.aligned and by_tiles(rows.shape[2], cache.shape[2]):
            return self._filled(cache, rows)
        at = torch.arange(rows.shape[2], device=cache.device) + self.cumulative_length
        return cache.index_copy_(2, at, rows)

    def _filled(self, cache: Tensor, rows: Tensor) -> Tensor:
        """Write whole tiles of rows; those beyond the cache are left out.

        A tile of a head's rows is a block of a pool with one head: that of head h begins at h * capacity / TILE.
        """
        batch, heads, capacity, size = cache.shape
        each, count = capacity // TILE, rows.shape[2] // TILE
        first = torch.arange(batch * heads, device=cache.device)[:, None] * each
        tile = self.cumulative_length // TILE + torch.arange(count, device=cache.device)
        blocks = torch.where(tile < each, first + tile, -1).flatten()
        pool, tiles = cache.view(-1, 1, TILE, size), rows.reshape(1, 1, -1, size)
        return cache.copy_(torch.ops.ttc.fill_blocks(pool, tiles, blocks).view_as(cache))


class Fixed(DynamicLayer):
    """Keys and values [batch, heads, frames, size] of an encoder's output, which are read only."""

    def __init__(self, keys: Tensor, values: Tensor):
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values
