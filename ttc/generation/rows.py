"""Caches as a step of generation sees them while it is exported: rows of fixed tensors, written at a position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer, StaticLayer


class Rows(StaticLayer):
    """Keys and values [batch, heads, capacity, size] of a layer, whose rows from `start` (i64[1]) on are written.

    A layer with a sliding window keeps all rows, too: the mask leaves out those before the window.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, start: Tensor):
        super().__init__(keys.shape[2])
        self.keys, self.values, self.cumulative_length = keys, values, start
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write rows [batch, heads, tokens, size]; return all rows."""
        at = torch.arange(key_states.shape[2], device=self.keys.device) + self.cumulative_length
        return self.keys.index_copy_(2, at, key_states), self.values.index_copy_(2, at, value_states)


class Fixed(DynamicLayer):
    """Keys and values [batch, heads, frames, size] of an encoder's output, which are read only."""

    def __init__(self, keys: Tensor, values: Tensor):
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values
