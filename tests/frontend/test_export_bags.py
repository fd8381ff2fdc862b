"""Bags of rows, in every form of nn.EmbeddingBag."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.frontend.exporting import agree


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 3])
def test_bags_of_one_size(mode: str, padding: int | None):
    torch.manual_seed(0)
    bags = nn.EmbeddingBag(10, 4, mode=mode, padding_idx=padding)
    agree(bags, torch.tensor([[0, 3, 9, 3], [3, 3, 3, 3], [1, 1, 2, 0]]))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", [[0, 3, 3, 7], [0, 0, 0, 1], [0, 1, 2, 8]])
def test_bags_that_begin_anywhere(mode: str, offsets: list[int]):
    """One may be empty, the first and the last too."""
    torch.manual_seed(0)
    agree(nn.EmbeddingBag(10, 4, mode=mode), torch.tensor([0, 3, 9, 3, 1, 2, 2, 5]), torch.tensor(offsets))


def test_the_end_of_the_last_bag_may_be_stated():
    agree(
        nn.EmbeddingBag(10, 4, mode="sum", include_last_offset=True),
        torch.tensor([0, 3, 9, 3]),
        torch.tensor([0, 1, 4]),
    )


def test_weights_of_single_entries():
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bags = nn.EmbeddingBag(10, 4, mode="sum")

        def forward(self, ids: Tensor, weights: Tensor) -> Tensor:
            return self.bags(ids, per_sample_weights=weights)

    agree(Weighted(), torch.randint(0, 10, (3, 5)), torch.randn(3, 5))
