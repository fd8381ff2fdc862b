"""A step of generation that chooses the most likely next token on the device, where the step after reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ttc.generation.chosen import CHOSEN
from ttc.generation.step import Step

EXCLUDED = -1e30
"""The mask of a row that a token does not attend to: finite, so that no token is without keys for torch."""


class ChoosingStep(Step):
    """A step whose choices are state: `sequence` [1, capacity + 1] holds at each row the token chosen for the row.

    `model` takes embeddings [1, n, size] with positions, a mask of 4 dimensions and a cache, and gives hidden values;
    `spans` are the first token and the number of tokens that each codebook chooses from, rows of `head`.
    """

    sequence: Tensor
    aligned = False

    def __init__(
        self,
        model: Any,
        caches: Sequence[tuple[Tensor, Tensor]],
        capacity: int,
        head: Tensor,
        spans: Sequence[tuple[int, int]],
    ):
        super().__init__(model, caches, capacity)
        self.capacity, self.head, self.spans = capacity, head, tuple(spans)
        self.register_buffer("sequence", torch.zeros(1, capacity + 1, dtype=torch.long))

    def tokens_at(self, input_ids: Tensor, start: Tensor) -> Tensor:
        """Return the tokens [1, n]; a single one that is CHOSEN is read from the sequence, at row `start` (i64[1])."""
        if input_ids.shape[1] > 1:
            return input_ids
        return torch.where(input_ids == CHOSEN, self.sequence.index_select(1, start), input_ids)

    def last_hidden(self, embeds: Tensor, start: Tensor, tokens: Tensor) -> Tensor:
        """Return the hidden values [1, size] of the last of `tokens` (i64[1]) valid embeddings [1, n, size]."""
        rows = start + torch.arange(embeds.shape[1])
        allowed = torch.arange(self.capacity) <= rows[:, None]
        hidden = self.model(
            inputs_embeds=embeds,
            attention_mask=torch.where(allowed, 0.0, EXCLUDED)[None, None],
            position_ids=rows.clamp(max=self.capacity - 1)[None],  # of padding, which may lie beyond the last row
            past_key_values=self.rows(start),
            use_cache=True,
        ).logits
        return (hidden if hidden.shape[1] == 1 else hidden.index_select(1, tokens - 1))[:, 0]

    def choose(self, hidden: Tensor, at: Tensor, codebook: Tensor | None = None) -> dict[str, Tensor]:
        """Return the sequence with the most likely token at row `at` (i64[1]), and the logits that the token is of.

        The logits [1, n] are those of the tokens of all spans in order; `codebook` (i64[1]) says which span is chosen
        from.
        """
        logits = torch.cat([functional.linear(hidden, self.head[first : first + n]) for first, n in self.spans], 1)
        chosen, begin = [], 0
        for first, count in self.spans:
            chosen.append(logits[:, begin : begin + count].argmax(1, keepdim=True) + first)
            begin += count
        token = chosen[0]
        for number, other in enumerate(chosen[1:], 1):
            assert codebook is not None, "several spans are chosen from by codebook"
            token = torch.where(codebook == number, other, token)
        self.sequence.index_copy_(1, at, token)
        return {"sequence": self.sequence.clone(), "logits": logits}
