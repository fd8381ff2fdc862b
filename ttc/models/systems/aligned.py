"""`AlignedSpeech`: systems whose encodings of tokens are repeated for as many frames as each token lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ttc.errors import InputError
from ttc.models.systems.system import Runner, Stage, System


def aligned_stages(tokens: str, repeated: Mapping[str, int]) -> tuple[Stage, Stage, Stage]:
    """Return the stages of aligned speech: `encode`, `align` and `synthesize`.

    The first takes what `tokens` names, [1, T]. Of the first the second takes the durations [1, T] and the encodings
    that `repeated` names, each with its dimension of tokens. The third takes these with frames as dimension 2.
    """
    encoded = {"durations": 1, **repeated}
    return (
        Stage("encode", {tokens: {1: "T"}}, decides=True),
        Stage(
            "align",
            {"frames": {1: "F"}, **{name: {axis: "T"} for name, axis in encoded.items()}},
            {name: ("encode", name) for name in encoded},
        ),
        Stage("synthesize", {name: {2: "F"} for name in repeated}, {name: ("align", name) for name in repeated}),
    )


class AlignedSpeech(System):
    """Tokens to samples through `aligned_stages`; `milliseconds` are those of a frame."""

    milliseconds: ClassVar[int]

    def aligned(self, session: Runner, given: Mapping[str, np.ndarray], seed: int | None = None) -> dict[str, Any]:
        """Return the encodings of a text, repeated for each frame, by name; they may stay on the device.

        The host reads nothing but how many frames there are. InputError for none, and for more than the largest bucket
        takes.
        """
        _, align, synthesize = self.stages[:3]
        left = session.run("encode", given, keep=tuple(align.links), seed=seed)
        frames, most = int(left.pop("total")[0]), self.lengths["F"][-1]
        if not 0 < frames <= most:
            length = f"{frames:,} frames of {self.milliseconds} ms"
            raise InputError(f"the speech would have {length}; {most:,} are the most: give less text")
        places = np.arange(frames, dtype=np.float32)[None]
        return session.run("align", {"frames": places, **left}, keep=tuple(synthesize.links))
