"""What the random programs have found, each by its name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import ttc


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def given(function, *args, dtype="fp32"):
    return ttc.compile(Function(function), args, dtype=dtype)(*args)


def same(function, *args, dtype="fp32", tolerance=1e-5):
    found, wanted = given(function, *args, dtype=dtype), function(*args)
    assert found.dtype == wanted.dtype
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True)


def test_a_result_that_is_one_boolean_is_an_array_as_all_others():
    x = torch.tensor(2.0)
    compiled = ttc.compile(Function(lambda x: x > 1), (x,))
    assert isinstance(compiled.run([x.numpy()])["output"], np.ndarray)
    assert bool(compiled(x)) is True


@pytest.mark.parametrize("name", ["fmax", "fmin"])
def test_fmax_and_fmin_choose_what_is_no_nan(name):
    a = torch.tensor([1.0, np.nan, 2.0, np.nan, -np.inf, 3.0])
    b = torch.tensor([np.nan, 3.0, 5.0, np.nan, np.nan, -1.0])
    same(getattr(torch, name), a, b)
    same(getattr(torch, name), torch.tensor([4, -2]), torch.tensor([3, 7]))
