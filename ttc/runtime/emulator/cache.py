"""Numerics of writing into caches: rows are moved as they are."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ttc.calls.cache import SKIPPED, PagedFillCache, PagedUpdateCache
from ttc.calls.call import spec_of
from ttc.runtime.emulator.numerics import Mode, store
from ttc.runtime.emulator.registry import emulates


@emulates(PagedUpdateCache, stored=True)
def paged_update_cache(
    call: PagedUpdateCache,
    mode: Mode,
    cache_tensor: Tensor,
    input_tensor: Tensor,
    update_idxs_tensor: Tensor,
    page_table: Tensor | None = None,
) -> Tensor:
    """Write in place, as on the card, but for positions beyond the cache: an IndexError."""
    size = cache_tensor.shape[2] if page_table is None else cache_tensor.shape[2] * page_table.shape[1]
    for batch, position in enumerate(update_idxs_tensor.tolist()):
        if position == SKIPPED:
            continue
        if not 0 <= position < size:
            raise IndexError(f"position {position} is beyond a cache of {size} rows")
        entry, row = batch, position
        if page_table is not None:
            entry, row = _block(page_table[batch, position // cache_tensor.shape[2]], cache_tensor), position
        rows = input_tensor[0, batch].float()
        stored = store(rows, replace(spec_of(call.cache_tensor), shape=tuple(rows.shape)))
        cache_tensor[entry, :, row % cache_tensor.shape[2]] = stored
    return cache_tensor


@emulates(PagedFillCache, stored=True)
def paged_fill_cache(
    call: PagedFillCache, mode: Mode, cache_tensor: Tensor, input_tensor: Tensor, page_table: Tensor
) -> Tensor:
    """Write in place, as on the card, but for blocks beyond the pool: an IndexError."""
    parts = input_tensor[0].split(cache_tensor.shape[2], 1)
    for number, part in zip(page_table[0], parts, strict=True):
        if number != SKIPPED:
            cache_tensor[_block(number, cache_tensor)] = part
    return cache_tensor


def _block(number: Tensor, pool: Tensor) -> int:
    """Return the number of a block; IndexError for one that the pool does not have."""
    if not 0 <= number < pool.shape[0]:
        raise IndexError(f"block {int(number)} is beyond a pool of {pool.shape[0]} blocks")
    return int(number)
