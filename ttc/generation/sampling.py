"""Sampling on the host, by the processors of transformers."""

from __future__ import annotations

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


class Drawing:
    """Draws tokens as `generate` of transformers does after `torch.manual_seed(seed)`."""

    def __init__(self, seed: int, temperature: float | None, top_k: int | None, top_p: float | None):
        self._random = torch.Generator().manual_seed(seed)
        self._processors = LogitsProcessorList()
        if temperature is not None and temperature != 1:
            self._processors.append(TemperatureLogitsWarper(float(temperature)))
        if top_k is not None:
            self._processors.append(TopKLogitsWarper(top_k))
        if top_p is not None and top_p < 1:
            self._processors.append(TopPLogitsWarper(float(top_p)))

    def __call__(self, logits: np.ndarray) -> int:
        """Return a token drawn from logits [vocabulary]."""
        no_tokens = torch.zeros(1, 0, dtype=torch.long)
        scores = self._processors(no_tokens, torch.from_numpy(logits)[None])  # pyright: ignore[reportArgumentType]
        probabilities = scores.log_softmax(-1).softmax(-1)  # as `renormalize_logits` of Bark's configuration does
        return int(torch.multinomial(probabilities, 1, generator=self._random))
