"""Tokens one by one, by a step that chooses them on the device (`ChoosingStep`) or by a sampler on the host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

import numpy as np

CHOSEN = -1
"""The number in place of a token that stands for the token that the step before has chosen."""

LOOK = 16
"""Steps between two looks at the tokens, where one of them may be the end."""

Sampler = Callable[[np.ndarray], int]
"""Draws a token from the logits [vocabulary] of all tokens, minus infinity for those that cannot be."""


class Runner(Protocol):
    """Runs steps by name, as a chain's session does."""

    def run(self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = ()) -> dict[str, Any]:
        """Return the outputs of a step by name; what `keep` names stays on the device."""
        ...


@dataclass(frozen=True)
class Choices:
    """The tokens that a step chooses from: of each codebook in turn, the first token and how many there are.

    `vocabulary` counts the tokens that the model writes, of which one may be the `end`.
    """

    spans: tuple[tuple[int, int], ...]
    vocabulary: int
    end: int | None = None

    def scores(self, logits: np.ndarray, place: int) -> np.ndarray:
        """Return the logits f32[vocabulary] for the token at a place, from those of all spans [n]."""
        turn = place % len(self.spans)
        (first, count), begin = self.spans[turn], sum(count for _, count in self.spans[:turn])
        found = np.full(self.vocabulary, -np.inf, np.float32)
        found[first : first + count] = logits[begin : begin + count]
        return found


@dataclass(frozen=True)
class Generation:
    """A step by its `stage`, what it chooses from, and the tokens that its largest program takes."""

    session: Runner
    stage: str
    choices: Choices
    largest: int

    def tokens(
        self,
        prompt: np.ndarray,
        count: int,
        sampler: Sampler | None = None,
        start: int = 0,
        others: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Return up to `count` tokens i64[N] after a prompt i64[P] that begins at row `start`, without the end.

        Without a sampler tokens are the most likely ones, and stay on the device but for a look at every LOOK steps.
        """
        *before, ids = [prompt[first : first + self.largest] for first in range(0, len(prompt), self.largest)]
        for piece in before:
            self._run(piece, start, 0, others or {}, ("sequence", "logits"))
            start += len(piece)
        start = first = start + len(ids)
        drawn, end = list[int](), self.choices.end
        for place in range(count):
            looks = place + 1 == count or (end is not None and (place + 1) % LOOK == 0)
            keep = ["sequence"] if sampler or not looks else []
            found = self._run(ids, start - len(ids), place, others or {}, keep if sampler else [*keep, "logits"])
            ids, start = np.array([CHOSEN]), start + 1
            if sampler:
                drawn.append(sampler(self.choices.scores(found["logits"][0], place)))
                ids = np.array(drawn[-1:])
            elif looks:
                drawn = found["sequence"][0, first:start].tolist()
            if end in drawn:
                break
        return np.array(list(takewhile(lambda token: token != end, drawn)), np.int64)

    def _run(
        self, ids: np.ndarray, row: int, place: int, others: Mapping[str, Any], keep: Sequence[str]
    ) -> dict[str, Any]:
        """Run the step on ids at a row, for the token at a place."""
        spans = self.choices.spans
        turn = {"codebook": [place % len(spans)]} if len(spans) > 1 else {}
        return self.session.run(self.stage, {"input_ids": ids[None], "start": [row], **turn, **others}, keep)
