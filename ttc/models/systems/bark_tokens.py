"""Bark's tokens: their numbers as published, and the prompts and windows that the models are given, as transformers'
`generate` makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np

from ttc.generation.chosen import Choices


@dataclass(frozen=True)
class Numbers:
    """Numbers of tokens and of windows, and rates in Hertz.

    Semantic tokens are 0 to `semantic` - 1, and `semantic` is their end. Codes of the first codebook follow them among
    the coarse model's tokens, and then those of the second.
    """

    semantic: int = 10_000
    semantic_written: int = 10_048  # tokens that the semantic model has logits of
    text_offset: int = 10_048
    text_pad: int = 129_595
    text_infer: int = 129_599
    text: int = 256  # tokens of a text
    longest: int = 768  # semantic tokens of a speech
    coarse_written: int = 12_096
    coarse_pad: int = 12_048
    coarse_infer: int = 12_050
    coarse_input: int = 256  # semantic tokens of a window
    coarse_history: int = 630
    coarse_window: int = 60  # new tokens of a window
    codebook: int = 1024
    coarse_codebooks: int = 2
    codebooks: int = 8
    fine_history: int = 512
    fine_input: int = 1024
    semantic_rate: float = 49.9
    frame_rate: int = 75
    frames: tuple[int, ...] = (150, 600, 1200)  # sizes of the decoder's buckets
    prompts: tuple[int, ...] = (1, 64, 256)  # tokens of the coarse model's steps

    @property
    def ratio(self) -> float:
        """Return the number of coarse tokens for a semantic one."""
        return self.frame_rate / self.semantic_rate * self.coarse_codebooks

    @property
    def semantic_choices(self) -> Choices:
        """Return the tokens that the semantic model chooses from: semantic ones and their end."""
        return Choices(((0, self.semantic + 1),), self.semantic_written, self.semantic)

    @property
    def coarse_choices(self) -> Choices:
        """Return the tokens that the coarse model chooses from; the second codebook has all that follow the first."""
        second = self.semantic + self.codebook
        return Choices(((self.semantic, self.codebook), (second, self.coarse_written - second)), self.coarse_written)


NUMBERS = {
    "real": Numbers(),
    "tiny": Numbers(
        semantic=96, semantic_written=104, text_offset=104, text_pad=172, text_infer=175, text=32, longest=40,
        coarse_written=168, coarse_pad=162, coarse_infer=164, coarse_input=16, coarse_history=24, coarse_window=6,
        codebook=32, fine_history=16, fine_input=32, frames=(20, 60), prompts=(1, 16),
    ),
}  # fmt: skip


class Voice(NamedTuple):
    """Tokens of a speaker's prompt: semantic [N], coarse codes [2, T] and fine codes [8, T]."""

    semantic: np.ndarray
    coarse: np.ndarray
    fine: np.ndarray


def text_prompt(tokens: np.ndarray, numbers: Numbers) -> np.ndarray:
    """Return a text's tokens [1, N] as the semantic model reads them: i64[1, text] with the text's padding behind."""
    return _filled(tokens[0] + numbers.text_offset, numbers.text, numbers.text_pad)[None]


def semantic_history(voice: Voice | None, numbers: Numbers) -> np.ndarray:
    """Return the last semantic tokens of a voice, i64[1, text], filled up with the end's number."""
    history = np.zeros(0, np.int64) if voice is None else voice.semantic[-numbers.text :]
    return _filled(history, numbers.text, numbers.semantic)[None]


class CoarseWindows:
    """The windows of coarse tokens that belong to semantic tokens [N], after the history of a voice.

    Iterate over prompts i64[P] with the number of tokens to generate, and give each window's tokens to `add`;
    `codes` then are [coarse codebooks, T].
    """

    def __init__(self, semantic: np.ndarray, voice: Voice | None, numbers: Numbers):
        self.numbers = numbers
        history, coarse = _histories(voice, numbers)
        self._semantic, self._begin = np.concatenate([history, semantic]), len(history)
        self._coarse, self._before = coarse, len(coarse)
        frames = np.floor(np.float32(len(semantic)) * np.float32(numbers.ratio) / numbers.coarse_codebooks)
        self.total = int(frames) * numbers.coarse_codebooks

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        numbers = self.numbers
        while (done := len(self._coarse) - self._before) < self.total:
            at = self._begin + round(done / numbers.ratio)
            first = max(0, at - int(numbers.coarse_history / numbers.ratio))
            window = self._semantic[first : first + numbers.coarse_input]
            semantic = _filled(window, numbers.coarse_input, numbers.coarse_pad)
            prompt = [semantic, [numbers.coarse_infer], self._coarse[-numbers.coarse_history :]]
            yield np.concatenate(prompt), min(numbers.coarse_window, self.total - done)

    def add(self, tokens: np.ndarray) -> None:
        """Take the tokens of a window."""
        self._coarse = np.concatenate([self._coarse, tokens])

    @property
    def codes(self) -> np.ndarray:
        """Return the codes of all windows, i64[coarse codebooks, T]."""
        numbers = self.numbers
        tokens = self._coarse[self._before :].reshape(-1, numbers.coarse_codebooks)
        return (tokens.T - numbers.semantic) % numbers.codebook


class FineWindows:
    """The windows of fine codes that belong to coarse codes [coarse codebooks, T], after the history of a voice.

    Iterate over windows i64[fine_input, codebooks] with the first frame to fill, and give each window's codes
    i64[new codebooks, fine_input] to `put`; `codes` then are [codebooks, T].
    """

    def __init__(self, coarse: np.ndarray, voice: Voice | None, numbers: Numbers):
        self.numbers, self._count = numbers, coarse.shape[1]
        history = (
            np.zeros((numbers.codebooks, 0), np.int64) if voice is None else voice.fine[:, -numbers.fine_history :]
        )
        self._before = history.shape[1]
        frames = max(self._before + self._count, numbers.fine_input)
        self._codes = np.full((frames, numbers.codebooks), numbers.codebook, np.int64)
        self._codes[: self._before] = history.T
        self._codes[self._before : self._before + self._count, : numbers.coarse_codebooks] = coarse.T

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        numbers, last = self.numbers, len(self._codes) - self.numbers.fine_input
        beyond = self._count - (numbers.fine_input - self._before)
        for number in range(max(0, ceil(beyond / numbers.fine_history)) + 1):
            self._start = min(number * numbers.fine_history, last)
            fill = min(self._before + number * numbers.fine_history, len(self._codes) - numbers.fine_history)
            yield self._codes[self._start : self._start + numbers.fine_input], fill - self._start

    def put(self, codes: np.ndarray) -> None:
        """Take the codes of the window that was given last."""
        window = slice(self._start, self._start + self.numbers.fine_input)
        self._codes[window, self.numbers.coarse_codebooks :] = codes.T

    @property
    def codes(self) -> np.ndarray:
        """Return the codes of all frames, i64[codebooks, T]."""
        return self._codes[self._before : self._before + self._count].T


def _filled(tokens: np.ndarray, count: int, padding: int) -> np.ndarray:
    return np.pad(tokens, (0, count - len(tokens)), constant_values=padding)


def _histories(voice: Voice | None, numbers: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Return the semantic tokens of a voice and the coarse tokens of the same time, but for the last two.

    The last two are dropped as Bark's authors do, for a better sound.
    """
    if voice is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    firsts = numbers.semantic + numbers.codebook * np.arange(len(voice.coarse))
    coarse = (voice.coarse + firsts[:, None]).T.reshape(-1)
    most, own = int(numbers.coarse_history / numbers.ratio), len(voice.semantic)
    count = min(most, own - own % 2, int(len(coarse) / numbers.ratio))
    return voice.semantic[-count:], coarse[-round(count * numbers.ratio) :][:-2]
