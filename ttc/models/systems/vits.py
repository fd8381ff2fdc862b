"""VITS as MMS-TTS has it: tokens of a text to speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.models.systems.aligned import AlignedSpeech, aligned_stages
from ttc.models.systems.system import Runner
from ttc.models.systems.tokens import token_array, with_tokens

if TYPE_CHECKING:
    from ttc.models.model import Built, Weigh

TOKENS = {"real": (64, 256, 640), "tiny": (12, 24)}
"""Tokens; a text of MMS-TTS has a blank before, between and after its letters."""

FRAMES = {"real": (160, 640, 2048), "tiny": (32, 96)}
"""Frames of 16 ms: 2.6, 10.2 and 32.8 seconds."""

VOCABULARY = 38
"""Tokens that there are, in the published English model."""


class Vits(AlignedSpeech):
    """Tokens, or a text, in the voice of the checkpoint."""

    name = "vits"
    summary = "VITS (MMS-TTS), text to speech"
    takes = ("tokens",)
    may_take = ("text", "tokenizer")
    stages = aligned_stages("tokens", {"means": 1, "log_variances": 1})
    milliseconds = 16
    rate = 16000

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.vits import speech

        return speech(self.size, weigh)

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"T": TOKENS[self.size], "F": FRAMES[self.size]}

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return tokens, made of a text where one is given."""
        given = super().read(with_tokens(self.name, options))
        self.numbered(given["tokens"])  # what does not fit is told before anything is compiled
        return given

    def run(self, session: Runner, seed: int = 0, *, tokens: Sequence[int]) -> np.ndarray:
        """Return the samples of tokens; InputError for unknown ones, none, and more than the largest bucket takes.

        Durations draw from the seed's even number, sound from the odd one after it.
        """
        aligned = self.aligned(session, {"tokens": self.numbered(tokens)}, 2 * seed)
        return session.run("synthesize", aligned, seed=2 * seed + 1)["output"][0]

    def numbered(self, tokens: Sequence[int]) -> np.ndarray:
        """Return tokens as i64[1, T]; InputError for what cannot be spoken."""
        return token_array(tokens, VOCABULARY, self.lengths["T"][-1])
