"""The emulated forms of prepared weights."""

import pytest
import torch

from ttc.runtime.emulator.conv import blocks, dense


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_dense_weights_hold_the_groups_on_their_diagonal(groups):
    weight = torch.randn(8, 4 // groups, 3, 3)
    spread = dense(weight, groups)
    assert spread.shape[:2] == (8, weight.shape[1] * groups)
    assert torch.equal(blocks(spread, groups), weight)
    assert spread.count_nonzero() == weight.count_nonzero()


def test_dense_convolution_equals_the_grouped_one():
    x, weight = torch.randn(1, 6, 5, 5), torch.randn(4, 3, 3, 3)
    wanted = torch.nn.functional.conv2d(x, weight, groups=2)
    assert torch.allclose(torch.nn.functional.conv2d(x, dense(weight, 2)), wanted, atol=1e-5)
