"""OpenVoice V2, voice conversion: one speaker's recording in the voice of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ttc.errors import InputError
from ttc.models.systems.system import Runner, Stage, System

if TYPE_CHECKING:
    from ttc.models.model import Built, Weigh

LENGTHS = {"real": (49152, 114688, 229376), "tiny": (512, 1024)}
"""Samples: 2.2, 5.2 and 10.4 seconds."""


class VoiceConversion(System):
    """Two recordings: the words of `source` in the voice of `reference`."""

    name = "openvoice"
    summary = "OpenVoice V2, a recording in another speaker's voice"
    takes = ("source", "reference")
    stages = (
        Stage("tone", {"samples": {1: "N"}}),
        Stage("convert", {"samples": {1: "N"}}, {"embeddings": ("tone", "output")}),
    )
    rate = 22050

    def build(self, weigh: Weigh) -> Mapping[str, Built]:
        from ttc.models.openvoice import conversion

        return conversion(self.size, weigh)

    @property
    def lengths(self) -> Mapping[str, tuple[int, ...]]:
        return {"N": LENGTHS[self.size]}

    def run(self, session: Runner, seed: int = 0, *, source: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Return the samples of the source, in the reference's voice; InputError for a recording that is too long.

        Both embeddings come of one run, of two samples, each of its own length.
        """
        both = [_recording("source", source), _recording("reference", reference)]
        longest = max(map(len, both))
        samples = np.stack([np.pad(each, (0, longest - len(each))) for each in both])
        tone = session.run("tone", {"samples": samples, "N": [len(each) for each in both]}, keep=("output",))
        inputs = {"samples": both[0][None], "embeddings": tone["output"]}
        return session.run("convert", inputs, seed=seed)["output"][0]


def _recording(name: str, samples: np.ndarray) -> np.ndarray:
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise InputError(f"the {name} is one channel of finite samples, got an array of shape {list(samples.shape)}")
    return samples.astype(np.float32, copy=False)
