"""`DeviceCache`: the cache that transformers hands from step to step, whose rows are in a session on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from ttc.errors import InputError


class DeviceCache(Cache):
    """The sequences whose keys and values a session holds: `length` rows are written, padding before them included."""

    def __init__(self, capacity: int):
        super().__init__(layers=[])
        self.capacity, self.length = capacity, 0
        self._taken: dict[str, Tensor] = {}
        self.replaced = False

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of rows that are written."""
        return self.length

    def get_max_cache_shape(self, layer_idx: int = 0) -> int:
        """Return the number of rows there are."""
        return self.capacity

    def crop(self, tokens_to_remove: int) -> None:
        """Drop the last rows: the next tokens write over them."""
        self.length = max(0, self.length - tokens_to_remove)

    def reorder_cache(self, beam_idx: Any) -> None:
        """Raise InputError: rows of the device's cache stay with their sequence."""
        raise InputError("a cache on the device keeps each sequence's rows where they are: no beam search")

    def batch_select_indices(self, indices: Any) -> None:
        """Raise InputError, as `reorder_cache` does."""
        self.reorder_cache(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Raise InputError, as `reorder_cache` does."""
        self.reorder_cache(repeats)

    def take(self, tokens: int) -> int:
        """Return the row that `tokens` more begin at; InputError where they do not fit, or the session went on."""
        if self.replaced:
            raise InputError("this cache's rows were written over by a later generation: one at a time")
        if self.length + tokens > self.capacity:
            raise InputError(
                f"the cache has {self.capacity} rows: {self.length} tokens are in it, {tokens} more do not fit"
            )
        start, self.length = self.length, self.length + tokens
        return start

    def with_those_before(self, start: int, by_token: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the inputs [batch, n] of the tokens from row `start` on behind those of all rows before."""
        batch = by_token["input_ids"].shape[0]
        if start and self._taken["input_ids"].shape[0] != batch:
            raise InputError(f"the cache holds {self._taken['input_ids'].shape[0]} sequences, and {batch} are given")
        if start:
            by_token = {name: torch.cat([self._taken[name][:, :start], item], 1) for name, item in by_token.items()}
        self._taken = by_token
        return by_token
