"""Sequence models, how the inputs of a sample of theirs are drawn, and the lengths to try them at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Sequence:
    """A model of lengths: `sample(**lengths)` draws the inputs of one sample, `axes` says where its lengths are.

    Each of `runs` gives the lengths of every sample of a batch. `masks` are as many as padding needs in a bucket,
    `long` is as much as speech models are given at once.
    """

    name: str
    sample: Callable[..., dict[str, Tensor]]
    axes: dict[str, dict[int, str]]
    buckets: dict[str, list[int]]
    runs: tuple[dict[str, list[int]], ...]
    masks: int
    long: dict[str, int]


def latents(T: int) -> dict[str, Tensor]:
    return {"hidden_states": torch.randn(1, 128, T)}


def spectrogram(T: int) -> dict[str, Tensor]:
    return {"inputs": torch.rand(1, T, 513)}


def phonemes(T: int) -> dict[str, Tensor]:
    return {"x": torch.randint(0, 178, (1, T)), **lengths("input_lengths", T)}


def states(T: int) -> dict[str, Tensor]:
    return {"x": torch.randn(1, 512, T), "style": torch.randn(1, 128), **lengths("text_lengths", T)}


def aligned_states(T: int, F: int) -> dict[str, Tensor]:
    inputs = states(T)
    token_of_frame = torch.arange(F) * T // F
    return {
        "texts": inputs.pop("x"),
        **inputs,
        "alignment": nn.functional.one_hot(token_of_frame, T).mT.float()[None],
    }


def frames(F: int) -> dict[str, Tensor]:
    return {"frames": torch.randn(1, 640, F), "style": torch.randn(1, 128)}


def lengths(name: str, T: int) -> dict[str, Tensor]:
    """As Kokoro takes them: how long the sample is, and a mask that is True beyond."""
    return {name: torch.tensor([T]), "m": torch.zeros(1, T, dtype=torch.bool)}


SEQUENCES = {
    each.name: each
    for each in (
        Sequence(
            "encodec_decoder",
            latents,
            {"hidden_states": {2: "T"}},
            {"T": [32, 64]},
            ({"T": [7, 29]}, {"T": [61, 33]}, {"T": [64, 50]}),
            5,  # the input, which an edge mirrors, and before each transposed convolution
            {"T": 750},
        ),
        Sequence(
            "openvoice_reference_encoder",
            spectrogram,
            {"inputs": {1: "T"}},
            {"T": [128, 256]},
            ({"T": [1, 65]}, {"T": [127, 96]}, {"T": [130, 250]}),
            6,  # before each convolution
            {"T": 1000},
        ),
        Sequence(
            "kokoro_text_encoder",
            phonemes,
            {"x": {1: "T"}, "m": {1: "T"}},
            {"T": [32, 64]},
            ({"T": [1, 27]}, {"T": [31, 12]}, {"T": [34, 61]}),
            3,  # before each convolution
            {"T": 510},
        ),
        Sequence(
            "kokoro_duration_encoder",
            states,
            {"x": {2: "T"}, "m": {1: "T"}},
            {"T": [32, 64]},
            ({"T": [1, 27]}, {"T": [31, 12]}, {"T": [34, 61]}),
            1,  # the input, against infinities
            {"T": 510},
        ),
        Sequence(
            "kokoro_prosody",
            aligned_states,
            {"texts": {2: "T"}, "alignment": {1: "T", 2: "F"}, "m": {1: "T"}},
            {"T": [32, 64], "F": [64, 128]},
            ({"T": [5, 27], "F": [40, 101]}, {"T": [34, 61], "F": [127, 77]}),
            2,  # the input, against infinities; the alignment, which sums over phonemes
            {"T": 510, "F": 1200},
        ),
        Sequence(
            "kokoro_pitch",
            frames,
            {"frames": {2: "F"}},
            {"F": [64, 128]},
            ({"F": [9, 50]}, {"F": [127, 66]}),
            27,  # the input; before 14 convolutions; for the sums of 12 norms
            {"F": 1200},
        ),
    )
}
