"""Lengths below which a model reads other places than at the lengths that it was compiled for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import ttc
from ttc.errors import InputError


class Net(torch.nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "least"),
    [
        (lambda x: torch.roll(x, [8], [0]), 8),  # below 8 the shift is another
        (lambda x: torch.roll(x, [3], [0]), 3),
        (lambda x: x[-3:] * 2, 3),  # of two rows there are two
        (lambda x: x[2:] * 2, 2),
        (lambda x: x[:-5].sum(0), 5),
        (lambda x: torch.cat([x[4:], x[:4]]), 4),
    ],
)
def test_a_length_too_short_for_a_slice_is_refused_and_no_other(function: Callable[[Tensor], Tensor], least: int):
    x = torch.randn(16, 3)
    lengths = ({0: torch.export.Dim("T", min=2, max=64)},)
    compiled = ttc.compile(Net(function), x, dynamic_shapes=lengths, lengths={"T": [12, 16]}, dtype="fp32")
    for length in range(least, 17):
        (found,) = compiled.executable.run([x[:length].numpy()]).values()
        np.testing.assert_allclose(found, function(x[:length]).numpy(), rtol=1e-6, atol=1e-6)
    for length in range(1, least):
        with pytest.raises(InputError, match=rf"too short: the length T - {least} is -{least - length}, the model"):
            compiled.executable.run([x[:length].numpy()])
