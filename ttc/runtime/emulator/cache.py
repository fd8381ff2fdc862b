"""Numerics of writing into caches: rows are moved as they are."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ttc.calls.cache import SKIPPED, PagedUpdateCache
from ttc.calls.call import spec_of
from ttc.runtime.emulator.numerics import Mode, store
from ttc.runtime.emulator.registry import emulates


@emulates(PagedUpdateCache, stored=True)
def paged_update_cache(
    call: PagedUpdateCache, mode: Mode, cache_tensor: Tensor, input_tensor: Tensor, update_idxs_tensor: Tensor
) -> Tensor:
    """Write in place, as on the card, but for positions beyond the cache: an IndexError."""
    for batch, position in enumerate(update_idxs_tensor.tolist()):
        if position == SKIPPED:
            continue
        if not 0 <= position < cache_tensor.shape[2]:
            raise IndexError(f"position {position} is beyond a cache of {cache_tensor.shape[2]} rows")
        rows = input_tensor[0, batch].float()
        cache_tensor[batch, :, position] = store(rows, replace(spec_of(call.cache_tensor), shape=tuple(rows.shape)))
    return cache_tensor
