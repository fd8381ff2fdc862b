"""Bark small: tokens of a text to speech, in a speaker's voice where a prompt is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import InputError, require
from ttc.generation.chosen import Generation, Sampler
from ttc.models.systems.bark_tokens import (
    NUMBERS,
    CoarseWindows,
    FineWindows,
    Numbers,
    Voice,
    semantic_history,
    text_prompt,
)
from ttc.models.systems.bark_voice import read_bark_voice
from ttc.models.systems.system import Runner, Stage, System
from ttc.models.systems.tokens import token_array, with_tokens

if TYPE_CHECKING:
    from ttc.models.model import Built, Weigh

SAMPLING = ("temperature", "top_k", "top_p")


class Bark(System):
    """Tokens, or a text, in a voice; without a prompt the voice is the model's choice."""

    name = "bark"
    summary = "Bark small, text to speech"
    takes = ("tokens",)
    may_take = ("text", "tokenizer", "voice", "seconds", *SAMPLING)
    stages = (
        Stage("semantic", {"input_ids": {1: "S"}, "history": {1: "S"}}, step=True),
        Stage("coarse", {"input_ids": {1: "C"}}, step=True),
        Stage("fine"),
        Stage("decode", {"codes": {2: "F"}}),
    )
    rate = 24000

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.bark_speech import speech

        return speech(self.size, weigh)

    @property
    def numbers(self) -> Numbers:
        """Return the numbers of tokens and windows of this size."""
        return NUMBERS[self.size]

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"S": (1, self.numbers.text), "C": self.numbers.prompts, "F": self.numbers.frames}

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return tokens, made of a text where one is given, the voice, and how tokens are chosen."""
        given = super().read(with_tokens(self.name, options, marks=False))
        if "voice" in options:
            given["voice"] = read_bark_voice(options["voice"], self.numbers)
        given |= {name: options[name] for name in ("seconds", *SAMPLING) if name in options}
        self.inputs(given["tokens"])  # what does not fit is told before anything is compiled
        self.longest(given.get("seconds"))
        self.sampler(0, *(given.get(name) for name in SAMPLING))
        return given

    def run(
        self,
        session: Runner,
        seed: int = 0,
        *,
        tokens: Sequence[int],
        voice: Voice | None = None,
        seconds: float | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray:
        """Return the samples of a text's tokens, of up to `seconds`; InputError for a speech that is empty.

        Tokens are the most likely ones, chosen on the device; with `temperature`, `top_k` or `top_p` they are drawn of
        `seed` on the host, as transformers does. Fine codes are the most likely ones.
        """
        sampler = self.sampler(seed, temperature, top_k, top_p)
        semantic = self.semantic(session, tokens, self.longest(seconds), voice, sampler)
        if not len(semantic):
            raise InputError("the speech is empty: the model ends before the first token")
        codes = self.fine(session, self.coarse(session, semantic, voice, sampler), voice)
        return session.run("decode", {"codes": codes[None]})["output"][0]

    def semantic(
        self,
        session: Runner,
        tokens: Sequence[int],
        count: int,
        voice: Voice | None = None,
        sampler: Sampler | None = None,
    ) -> np.ndarray:
        """Return the semantic tokens i64[N] of a text's tokens: up to `count`, without the end."""
        numbers = self.numbers
        first = {"input_ids": self.inputs(tokens), "history": semantic_history(voice, numbers), "start": [0]}
        session.run("semantic", first, keep=("sequence", "logits"))
        generation = Generation(session, "semantic", numbers.semantic_choices, numbers.text)
        no_history = {"history": np.zeros((1, 1), np.int64)}
        return generation.tokens(np.array([numbers.text_infer]), count, sampler, numbers.text, no_history)

    def coarse(
        self, session: Runner, semantic: np.ndarray, voice: Voice | None = None, sampler: Sampler | None = None
    ) -> np.ndarray:
        """Return the codes i64[2, T] of semantic tokens [N]."""
        generation = Generation(session, "coarse", self.numbers.coarse_choices, self.numbers.prompts[-1])
        windows = CoarseWindows(semantic, voice, self.numbers)
        for prompt, count in windows:
            windows.add(generation.tokens(prompt, count, sampler))
        return windows.codes

    def fine(self, session: Runner, coarse: np.ndarray, voice: Voice | None = None) -> np.ndarray:
        """Return the codes i64[8, T] that coarse codes [2, T] are the first of."""
        windows = FineWindows(coarse, voice, self.numbers)
        for codes, fill in windows:
            windows.put(session.run("fine", {"codes": codes[None], "fill": [fill]})["output"][0])
        return windows.codes

    def inputs(self, tokens: Sequence[int]) -> np.ndarray:
        """Return the prompt i64[1, text] of a text's tokens; InputError for none, unknown ones, and too many."""
        numbers = self.numbers
        return text_prompt(token_array(tokens, numbers.text_pad - numbers.text_offset, numbers.text), numbers)

    def longest(self, seconds: float | None) -> int:
        """Return the most semantic tokens of a speech; InputError for no time at all, and more than there can be."""
        numbers = self.numbers
        if seconds is None:
            return numbers.longest
        most = numbers.longest / numbers.semantic_rate
        if not 1 / numbers.semantic_rate <= seconds <= most:
            raise InputError(f"a speech has from {1 / numbers.semantic_rate:.3f} to {most:.2f} seconds, not {seconds}")
        return int(seconds * numbers.semantic_rate)

    def sampler(self, seed: int, temperature: float | None, top_k: int | None, top_p: float | None) -> Sampler | None:
        """Return what draws tokens, None for the most likely ones; InputError for numbers that leave no choice."""
        if temperature is None and top_k is None and top_p is None:
            return None
        if temperature is not None and not 0 < temperature < inf:
            raise InputError(f"a temperature is a positive number, got {temperature}")
        if top_k is not None and (top_k != int(top_k) or top_k < 1):
            raise InputError(f"top-k is a number of tokens, 1 or more, got {top_k}")
        if top_p is not None and not 0 < top_p <= 1:
            raise InputError(f"top-p is a probability above 0 and up to 1, got {top_p}")
        require("sampling", ("transformers", "torch"), "models")
        from ttc.generation.sampling import Drawing

        return Drawing(seed, temperature, top_k, top_p)
