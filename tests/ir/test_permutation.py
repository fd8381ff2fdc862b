"""Permutations of dimensions."""

from itertools import permutations

import torch

from ttc.ir.permutation import inverse_of, to_last


def test_an_inverse_undoes_a_permutation():
    x = torch.arange(24).reshape(2, 3, 4)
    for order in permutations(range(3)):
        assert torch.equal(x.permute(order).permute(inverse_of(order)), x)


def test_a_dimension_goes_to_the_end():
    assert [to_last(dim, 3) for dim in range(3)] == [(1, 2, 0), (0, 2, 1), (0, 1, 2)]
    assert to_last(0, 1) == (0,)
