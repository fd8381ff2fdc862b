"""Padding safety where one kind of layer alone decides: what fills it, what is asked of it, where it ends."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.passes.padded_models import SIZES, check, module, padded, steps, time_last


def distances(length: int) -> torch.Tensor:
    """Positive numbers [B, T, 4]: zeros of the padding would be the smallest."""
    return torch.rand(2, length, 4) + 1


CASES = {
    "the smallest": module(lambda x: x.topk(2, dim=1, largest=False).values),
    "places of the smallest": module(lambda x: x.topk(3, dim=1, largest=False).indices.float()),
    "the largest of negatives, and extremes": module(lambda x: ((-x).topk(2, dim=1).values, x.amin(1), (-x).amax(1))),
    "attention of what comes before, over fewer queries": module(
        lambda x: F.scaled_dot_product_attention(x[:, None, :5], x[:, None], x[:, None], is_causal=True)
    ),
    "attention of what comes before, over fewer keys": module(
        lambda x: F.scaled_dot_product_attention(x[:, None], x[:, None, :5], x[:, None, :5], is_causal=True)
    ),
    "a bias over masked steps, summed": module(lambda x, w: w(x * (x > 1.5)).sum(1), nn.Linear(4, 3)),
    "a bias over zeroed steps, summed": module(
        lambda x, w: w(F.pad(x[:, 2:], (0, 0, 1, 1))).sum(1), nn.Linear(4, 3)
    ),
    "a product without bias, summed": module(lambda x, w: w(x).sum(1), nn.Linear(4, 3, bias=False)),
    **{
        f"transposed convolution, stride {stride}, padding {pads}": module(
            lambda x, c: c(time_last(x)), nn.ConvTranspose1d(4, 3, 4, stride, pads)
        )
        for stride, pads in ((1, 1), (2, 0), (2, 3))
    },
    "transposed convolution, summed": module(lambda x, c: c(time_last(x)).sum(2), nn.ConvTranspose1d(4, 3, 4, 2, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_bucket_gives_what_the_exact_length_gives(name):
    model = CASES[name]
    makes = (distances,)
    found = padded(model, *makes)
    for length in (SIZES[0], 13, 9):
        check(model, found, length, *makes)


def test_padding_would_be_the_smallest():
    """Without care the test above could not pass: zeros stand behind the end, and they win."""
    x = distances(8)
    assert not torch.equal(F.pad(x, (0, 0, 0, 8)).topk(2, dim=1, largest=False).values, CASES["the smallest"](x))
    assert steps(3).shape == (2, 3, 4)
