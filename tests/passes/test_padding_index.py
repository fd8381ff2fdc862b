"""Padding safety of elements and rows that are picked at known places, as by relative positions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.passes.padded_models import check, module, padded
from ttc.ir.lengths import Length


def places(x: torch.Tensor) -> torch.Tensor:
    return torch.arange(x.shape[1])


def distances(x: torch.Tensor, reach: int) -> torch.Tensor:
    """How far key j is from query i, up to `reach`; from 0 on."""
    at = places(x)
    return (at[None] - at[:, None]).clamp(-reach, reach) + reach


def _biased(x, table):
    """A score for each distance (Raffel et al. 2020, T5)."""
    scores = x @ x.transpose(1, 2) + table(distances(x, 3))[..., 0]
    return scores.softmax(-1) @ x


def _with_keys_of_distances(x, table):
    """A key for each distance (Shaw et al. 2018), as SpeechT5 adds it."""
    keys = table(distances(x, 4))
    scores = x @ x.transpose(1, 2) + (x.transpose(0, 1) @ keys.transpose(1, 2)).transpose(0, 1)
    return scores.softmax(-1) @ x


def _of_scores_by_distance(x, table):
    """Scores of queries and distances, of which each pair takes its own."""
    scores = x @ table.weight.T
    at = places(x)
    return scores[:, at[:, None], distances(x, 4)].softmax(-1) @ x


def _on_the_diagonal(x):
    scores = x @ x.transpose(1, 2)
    return scores[:, places(x), places(x)].softmax(1)


CASES = {
    "scores by distance": module(_biased, nn.Embedding(7, 1)),
    "keys by distance": module(_with_keys_of_distances, nn.Embedding(9, 4)),
    "scores picked by distance": module(_of_scores_by_distance, nn.Embedding(9, 4)),
    "a diagonal": module(_on_the_diagonal),
    "every step": module(lambda x: x[:, places(x)].mean(1)),
    "each step twice": module(lambda x: x.repeat_interleave(2, 1).cumsum(1)),
    "columns in another order": module(lambda x: x[:, :, [1, 0, 3, 2]].mean(1)),
    "the first and the last": module(lambda x: x[:, [0, -1]]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bucket_gives_what_the_exact_length_gives(name):
    found = padded(CASES[name])
    for length in (2, 5, 10, 16):
        check(CASES[name], found, length)


@pytest.mark.parametrize("name", ["scores by distance", "keys by distance", "scores picked by distance", "a diagonal"])
def test_each_sample_keeps_its_own_length(name):
    assert padded(CASES[name]).samples == 2


def test_rows_of_a_length_are_as_long_as_it():
    """The scores that are picked have the length of queries and of keys; one mask is for the softmax, one for NaN."""
    found = padded(CASES["scores picked by distance"])
    assert [str(mask.lengths[0]) for mask in found.masks] == ["T", "T"]
    assert found.outputs["output"].lengths == (None, Length.named("T"), None)


def test_a_place_that_a_short_length_does_not_have_is_required():
    found = padded(module(lambda x: x[:, [0, 3]]))
    assert found.least == ((Length.named("T"), 4),)
