import pytest
import torch

from tests.frontend.exporting import each_agrees
from ttc.errors import Refused

torch.manual_seed(0)
X, Y = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
WHOLE = torch.randint(0, 4, (2, 3, 4))
ODD = torch.tensor([0.0, -0.0, 1.0, -1.0, torch.inf, -torch.inf, torch.nan, 3e20, 1e-30])


def test_signs_and_sizes():
    each_agrees("torch.hypot(x, y)\ntorch.copysign(x, y)\ntorch.copysign(x, -2.0)\ntorch.signbit(x)", x=X, y=Y)
    each_agrees("torch.ldexp(x, i)\ntorch.copysign(i, x)\ntorch.signbit(i - 2)\ntorch.signbit(i > 2)", x=X, i=WHOLE)


def test_every_pair_of_odd_numbers():
    pairs = {"x": ODD[:, None], "y": ODD[None]}
    each_agrees("torch.hypot(x, y)\ntorch.signbit(x)\ntorch.copysign(torch.ones(9), x)", **pairs)
    each_agrees("torch.hypot(x, y)", x=torch.tensor([3e-30, 3e30]), y=torch.tensor([4e-30, 4e30]))


def test_shifts():
    each_agrees("i << 1\ni >> 1\n1 << i\ni << i\ntorch.bitwise_left_shift(i, 2)\n(i - 9) >> i", i=WHOLE)


def test_bits_as_another_dtype():
    each_agrees("x.view(torch.int32)\ni.view(torch.float32)", x=X, i=WHOLE.int())
    with pytest.raises(Refused, match="their sizes differ"):
        each_agrees("x.view(torch.int16)", x=X)


def test_places_among_sorted_numbers():
    each_agrees(
        """
        torch.bucketize(x, e)
        torch.bucketize(x, e, right=True)
        torch.bucketize(x, e, out_int32=True)
        torch.bucketize(0.5, e)
        torch.searchsorted(e, x)
        torch.searchsorted(e, x, side="right")
        torch.searchsorted(e.expand(9, 4).contiguous(), x[:, None])
        torch.searchsorted(e, 1.0)
        """,
        x=ODD,
        e=torch.tensor([-1.0, 0.0, 0.0, 1.0]),
    )
    with pytest.raises(Refused, match="sorter"):
        each_agrees("torch.searchsorted(e, x, sorter=torch.tensor([1, 0]))", x=X, e=X[0, 0, :2])


def test_numbers_as_quantisation_leaves_them():
    each_agrees(
        """
        torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -8, 7)
        torch.fake_quantize_per_tensor_affine(x, torch.tensor(0.1), torch.tensor(3, dtype=torch.int32), 0, 255)
        torch.fake_quantize_per_channel_affine(x, s, torch.tensor([0, 1, 2], dtype=torch.int32), 1, -128, 127)
        """,
        x=X,
        s=torch.tensor([0.1, 0.02, 0.5]),
    )
