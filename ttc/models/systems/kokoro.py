"""Kokoro 82M: phonemes to speech, in the voice of a pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import InputError
from ttc.models.systems.aligned import AlignedSpeech, aligned_stages
from ttc.models.systems.phonemes import numbered, phonemes_of
from ttc.models.systems.system import Runner
from ttc.models.systems.tokens import written_or_spoken
from ttc.models.systems.voice import read_voice

if TYPE_CHECKING:
    from ttc.models.model import Built, Weigh

PHONEMES = {"real": (32, 128, 512), "tiny": (8, 16)}
"""Phonemes, the edges of a text included: the package's own limit is 512."""

FRAMES = {"real": (48, 96, 384, 1536), "tiny": (48, 96)}
"""Frames of 25 ms: 1.2 to 38.4 seconds, as long as 510 phonemes take."""

STYLES = {"real": 256, "tiny": 32}
"""Numbers of a voice: half are of sound, half of prosody."""


class Speech(AlignedSpeech):
    """Phonemes, or a text, in a voice; without a pack the voice is a random one of the seed."""

    name = "kokoro"
    summary = "Kokoro 82M, text to speech"
    takes = ("phonemes",)
    may_take = ("text", "voice")
    stages = aligned_stages("phonemes", {"prosody": 1, "text": 2})
    milliseconds = 25
    rate = 24000

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.kokoro_speech import speech

        return speech(self.size, weigh)

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"T": PHONEMES[self.size], "F": FRAMES[self.size]}

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return phonemes, made of a text where one is given, and the voice."""
        text, options = written_or_spoken(self.name, options, "phonemes")
        if text is not None:
            options["phonemes"] = phonemes_of(text)
        given = super().read(options)
        if "voice" in options:
            given["voice"] = read_voice(options["voice"])
        self.inputs(given["phonemes"], given.get("voice"))  # what does not fit is told before anything is compiled
        return given

    def run(self, session: Runner, seed: int = 0, *, phonemes: str, voice: np.ndarray | None = None) -> np.ndarray:
        """Return the samples of phonemes; InputError for unknown ones, none, and more than the largest bucket takes."""
        numbers, style = self.inputs(phonemes, voice, seed)
        aligned = self.aligned(session, {"phonemes": numbers, "voice": style})
        return session.run("synthesize", {**aligned, "voice": style}, seed=seed)["output"][0]

    def inputs(self, phonemes: str, voice: np.ndarray | None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers i64[1, T] of phonemes and the style f32[1, 2 S] that a voice has for so many."""
        numbers, most = numbered(phonemes), self.lengths["T"][-1] - 2
        if len(phonemes) > most:
            raise InputError(f"the text has {len(phonemes)} phonemes; {most} are the most")
        styles = STYLES[self.size]
        if voice is None:
            style = np.random.default_rng(seed).standard_normal((1, styles), np.float32)
        elif voice.ndim != 3 or voice.shape[1:] != (1, styles) or len(voice) < len(phonemes):
            wanted = f"[{len(phonemes)} or more, 1, {styles}]"
            raise InputError(f"the voice has the shape {list(voice.shape)}, these phonemes need {wanted}")
        else:
            style = voice[len(phonemes) - 1].astype(np.float32)
        return np.array([numbers]), style
