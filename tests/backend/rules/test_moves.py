import numpy as np
import pytest

from ttc.backend.rules.moves import joined


@pytest.mark.parametrize(
    ("shape", "dims", "wanted"),
    [
        ((2, 3, 4), (0, 1, 2), ((24,), (0,))),
        ((2, 3, 4), (0, 2, 1), ((2, 3, 4), (0, 2, 1))),
        ((2, 3, 4), (2, 0, 1), ((6, 4), (1, 0))),
        ((2, 3, 4, 5), (2, 3, 0, 1), ((6, 20), (1, 0))),
        ((2, 3, 4, 5), (0, 3, 1, 2), ((2, 12, 5), (0, 2, 1))),
        ((2, 1, 4), (0, 2, 1), ((8,), (0,))),
        ((2, 1, 4, 3), (0, 2, 3, 1), ((24,), (0,))),
        ((2, 3, 1, 4), (0, 3, 2, 1), ((2, 3, 4), (0, 2, 1))),
        ((1, 1), (1, 0), ((), ())),
    ],
)
def test_dimensions_that_stay_together_are_joined(shape, dims, wanted):
    assert joined(shape, dims) == wanted
    x = np.arange(np.prod(shape)).reshape(shape)
    sizes, order = wanted
    assert np.array_equal(x.reshape(sizes).transpose(order).ravel(), x.transpose(dims).ravel())
