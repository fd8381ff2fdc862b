"""Sequence models at their real sizes, the lengths to try them at, and their runs: compiled, and the packages' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import ttc
from ttc import models
from ttc.buckets import Bucketed
from ttc.compiled import Compiled

Arrays = dict[str, np.ndarray]


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
            37,  # the input; before 14 convolutions; for means and deviations of 12 norms, but for two means of zeros
            {"F": 1200},
        ),
    )
}


@cache
def module(name: str) -> nn.Module:
    return models.named(name).build("real")[0]


def drawn(sequence: Sequence, run: dict[str, list[int]]) -> list[dict[str, Tensor]]:
    """The inputs of each sample of a run, as long as the sample is."""
    torch.manual_seed(0)
    return [sequence.sample(**dict(zip(run, sizes, strict=True))) for sizes in zip(*run.values(), strict=True)]


def together(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """One batch of samples, filled up to the longest: floats with NaN, which must not matter."""
    return {name: batched([sample[name] for sample in samples]) for name in samples[0]}


def batched(tensors: list[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    filling = float("nan") if tensors[0].is_floating_point() else 0
    whole = tensors[0].new_full((len(tensors), *shape[1:]), filling)
    for row, tensor in zip(whole, tensors, strict=True):
        row[tuple(map(slice, tensor.shape[1:]))] = tensor[0]
    return whole


@cache
def bucketed(name: str, dtype: str, target: str = "n150") -> Bucketed:
    """Two samples at a time, a program for each bucket."""
    sequence = SEQUENCES[name]
    largest = {length: [max(sizes)] * 2 for length, sizes in sequence.buckets.items()}
    example = together(drawn(sequence, largest))
    shapes = {key: sequence.axes.get(key) for key in example}
    program = ttc.compile(
        module(name), kwargs=example, dtype=dtype, target=target, dynamic_shapes=shapes, lengths=sequence.buckets
    )
    assert isinstance(program, Bucketed)
    return program


def exact(name: str, dtype: str, sample: dict[str, Tensor], target: str = "n150") -> Compiled:
    """One sample, of its own length."""
    return ttc.compile(module(name), kwargs=sample, dtype=dtype, target=target)


def arrays(tensors: dict[str, Tensor]) -> Arrays:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def wanted(name: str, sample: dict[str, Tensor]) -> list[np.ndarray]:
    """What the package's own module gives for one sample at its own length."""
    with torch.no_grad():
        return [leaf.numpy() for leaf in pytree.tree_leaves(module(name)(**sample))]


def valid(output: np.ndarray, number: int, shape: tuple[int, ...]) -> np.ndarray:
    """What is one sample's own in the output of a batch, where it has this shape alone."""
    return output[(slice(number, number + 1), *map(slice, shape[1:]))]
