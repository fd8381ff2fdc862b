import numpy as np
import pytest
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls.concat import Concat
from ttc.calls.pad import Pad
from ttc.calls.repeat import Expand, Repeat
from ttc.calls.shape import Permute, Reshape, Slice
from ttc.ir import Layout

X = torch.arange(24, dtype=torch.int32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: Reshape(x, (6, 4)), X.reshape(6, 4)),
        (lambda x: Permute(x, (2, 0, 1)), X.permute(2, 0, 1)),
        (lambda x: Slice(x, (1, 0, 1), (2, 3, 4), (1, 2, 2)), X[1:2, 0:3:2, 1:4:2]),
        (lambda x: Concat((x, x), 1), torch.cat([X, X], 1)),
        (lambda x: Pad(x, ((0, 0), (1, 0), (0, 2)), 7), torch.nn.functional.pad(X, (0, 2, 1, 0), value=7)),
        (lambda x: Expand(x, (5, 2, 3, 4)), X.expand(5, 2, 3, 4)),
        (lambda x: Repeat(x, (1, 2, 3)), X.repeat(1, 2, 3)),
    ],
)
def test_elements_move(make, expected: torch.Tensor):
    assert np.array_equal(emulated(make, X, layout=Layout.ROW_MAJOR)[0], expected.numpy())


def test_numbers_stay_as_they_are_stored():
    x = torch.tensor([float("nan"), -0.0, float("inf"), 3e38])
    found = emulated(lambda x: Pad(x, ((1, 0),), -1.0), x, layout=Layout.ROW_MAJOR)[0]
    assert np.array_equal(found, np.array([-1.0, np.nan, -0.0, np.inf, 3e38], np.float32), equal_nan=True)
    assert np.signbit(found[2])
