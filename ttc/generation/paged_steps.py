"""`PagedSteps`: what `generate` of transformers runs where keys and values lie in blocks."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ttc.compiled.chain import Chain
from ttc.errors import InputError
from ttc.generation.blocks import Blocks
from ttc.generation.cache import DeviceCache
from ttc.generation.serving import Served, Serving


class PagedCache(DeviceCache):
    """The sequences of one generation, which hold their blocks as long as the cache is held."""

    def __init__(self, serving: Serving):
        super().__init__(serving.sizes.capacity)
        self.sequences: list[Served] = []
        self._serving = serving
        weakref.finalize(self, _release, serving.blocks, self.sequences)

    def crop(self, tokens_to_remove: int) -> None:
        """Drop the last rows of each sequence: the next tokens are written over them."""
        super().crop(tokens_to_remove)
        for sequence in self.sequences:
            self._serving.forget(sequence, min(tokens_to_remove, sequence.length))


class PagedSteps:
    """Programs of generation on a device, as `Steps`; many generations have their rows there."""

    def __init__(self, programs: Chain, device: str | None):
        self.serving = Serving(programs, device)
        self.sizes = self.serving.sizes

    def fresh(self) -> PagedCache:
        """Return the cache of a new generation."""
        return PagedCache(self.serving)

    def run(self, ids: Tensor, cache: DeviceCache, others: dict[str, Any]) -> Tensor:
        """Return the logits [batch, vocabulary] after the last of the tokens [batch, n]; padding is left out."""
        (batch, count), serving = ids.shape, self.serving
        if not 0 < batch <= self.sizes.batch or not count:
            raise InputError(f"the programs take 1 to {self.sizes.batch} sequences, and ids are {list(ids.shape)}")
        assert isinstance(cache, PagedCache)
        sequences = cache.sequences
        if sequences and len(sequences) != batch:
            raise InputError(f"the cache holds {len(sequences)} sequences, and ids are {list(ids.shape)}")
        start = cache.take(count)
        if not sequences:
            sequences += [Served() for _ in range(batch)]
        if count == 1 and start:
            serving.step(dict(zip(sequences, ids[:, 0].tolist(), strict=True)))
        else:
            valid = others["attention_mask"][:, start : start + count].bool()
            for sequence, tokens, own in zip(sequences, ids, valid, strict=True):
                serving.extend(sequence, tokens[own].tolist())
        return torch.from_numpy(np.stack([sequence.logits for sequence in sequences]))


def _release(blocks: Blocks, sequences: list[Served]) -> None:
    for sequence in sequences:
        blocks.release(sequence.held)
