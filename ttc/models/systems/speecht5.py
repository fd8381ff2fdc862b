"""SpeechT5 and its vocoder HiFi-GAN: tokens of a text to speech, in the voice of a speaker's embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import InputError
from ttc.models.systems.system import Runner, Stage, System
from ttc.models.systems.tokens import token_array, with_tokens
from ttc.models.systems.voice import read_embedding

if TYPE_CHECKING:
    from ttc.models.model import Built, Weigh

TOKENS = {"real": (64, 192, 448), "tiny": (12, 24)}
"""Tokens, a letter each; the model has positions for 450, and a bucket is a part of them."""

STEPS = {"real": (64, 256, 768), "tiny": (16, 64)}
"""Steps of two frames of 16 ms each: 2, 8.2 and 24.6 seconds."""

SPARE = 32
"""Rows of caches and frames that no step writes, so that frames of every bucket are a part of all rows."""

LAYERS = {"real": 6, "tiny": 2}
MASKS = {"real": (2, 256), "tiny": (2, 64)}
SPEAKER = {"real": 512, "tiny": 32}
VOCABULARY = {"real": 81, "tiny": 60}
DROPPED = 0.5
"""The part of the prenet's numbers that the dropout leaves out, at inference, too."""

PADDING = 1
"""The token that the package leaves out of attention."""

STEPS_OF_TOKEN = 10
"""Steps after which the package ends a speech, for each token."""

LOOKED_AT = 16
"""Steps between two looks of the host at whether the speech is over."""


def crossing(size: str) -> tuple[str, ...]:
    """Return the names of the keys and values that the decoder reads of the encoder."""
    return tuple(f"{kind}_{layer}" for layer in range(LAYERS[size]) for kind in ("keys", "values"))


class SpeechT5(System):
    """Tokens, or a text, in the voice of an embedding; without one the voice is a random one of the seed."""

    name = "speecht5"
    summary = "SpeechT5 with HiFi-GAN, text to speech"
    takes = ("tokens",)
    may_take = ("text", "tokenizer", "voice")
    rate = 16000

    @property
    def stages(self) -> tuple[Stage, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the stages, of which the decoder's step has an input for each layer of the size."""
        cross = crossing(self.size)
        return (
            Stage("encode", {"tokens": {1: "T"}}),
            Stage("step", {name: {2: "T"} for name in cross}, {name: ("encode", name) for name in ("speaker", *cross)}),
            Stage("synthesize", {"places": {1: "S"}}, {"frames": ("step", "frames")}),
        )

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.speecht5_speech import speech

        return speech(self.size, self.lengths["S"][-1] + SPARE, weigh)

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"T": TOKENS[self.size], "S": STEPS[self.size]}

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return tokens, made of a text where one is given, and the speaker's embedding."""
        given = super().read(with_tokens(self.name, options))
        if "voice" in options:
            given["voice"] = read_embedding(options["voice"])
        self.inputs(given["tokens"], given.get("voice"))  # what does not fit is told before anything is compiled
        return given

    def run(
        self, session: Runner, seed: int = 0, *, tokens: Sequence[int], voice: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the samples of tokens; InputError for what cannot be spoken, and for speech that does not end.

        The host looks every few steps at the number of the last one, and draws the masks of the prenet's dropout.
        """
        numbers, speaker = self.inputs(tokens, voice, seed)
        kept = ("speaker", *crossing(self.size))
        left = session.run("encode", {"tokens": numbers, "speaker": speaker}, keep=kept)
        steps, frames = self._steps(session, left, STEPS_OF_TOKEN * len(tokens), np.random.default_rng(seed))
        places = np.arange(steps, dtype=np.float32)[None]
        return session.run("synthesize", {"frames": frames, "places": places})["output"][0]

    def _steps(self, session: Runner, left: Mapping[str, Any], most: int, random: np.random.Generator) -> Any:
        """Run steps until the speech is over, or has `most`; return their number and the frames of all."""
        room = self.lengths["S"][-1]
        for start in range(min(most, room)):
            masks = (random.random(MASKS[self.size]) >= DROPPED).astype(np.float32)
            looks = (start + 1) % LOOKED_AT == 0 or start + 1 in (most, room)
            given = {"start": np.array([start]), "masks": masks, **left}
            found = session.run("step", given, keep=("frames",) if looks else ("frames", "stop"))
            if looks and (steps := int(found["stop"][0]) or (start + 1) * (start + 1 == most)):
                return steps, found["frames"]
        raise InputError(f"the speech does not end in {room} steps of 32 ms, which are the most: give less text")

    def inputs(self, tokens: Sequence[int], voice: np.ndarray | None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens as i64[1, T] and the speaker's embedding f32[1, D]; InputError for what does not fit."""
        numbers = token_array(tokens, VOCABULARY[self.size], self.lengths["T"][-1])
        if (numbers == PADDING).any():
            raise InputError(f"token {PADDING} is padding: it cannot be spoken")
        wanted = SPEAKER[self.size]
        if voice is None:
            voice = np.random.default_rng(seed).standard_normal(wanted, np.float32)
        if voice.size != wanted:
            raise InputError(f"the voice has {voice.size} numbers, this model takes an embedding of {wanted}")
        return numbers, voice.astype(np.float32).reshape(1, wanted)
