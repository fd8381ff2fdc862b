import pytest
import torch

from tests.frontend.exporting import each_agrees
from ttc.errors import Refused

torch.manual_seed(0)
X = torch.randn(2, 7, 5)
ODD = torch.tensor([[1.0, torch.nan, 2.0, 0.5], [3.0, 1.0, 2.0, -torch.inf]])


def test_medians_and_elements_by_rank():
    each_agrees(
        """
        torch.median(x)
        torch.median(x, 1)
        torch.median(x, 0, keepdim=True)
        x[0, 0, 0].median()
        torch.kthvalue(x, 1, 1)
        torch.kthvalue(x, 3, 1, keepdim=True)
        torch.kthvalue(x, 5)
        """,
        x=X,
    )


def test_a_line_with_nan_has_no_median():
    each_agrees("torch.median(x, 1)\ntorch.median(x)\ntorch.median(x[1:])", x=ODD)


@pytest.mark.parametrize("size", [1, 2, 5, 7, 8, 9])
def test_every_prefix(size):
    lines = torch.randint(-3, 4, (2, size, 3)).float()  # with ties
    each_agrees("torch.cummax(x, 1)\ntorch.cummin(x, 1)\ntorch.cummax(x, -1).values\ntorch.logcumsumexp(x, 1)", x=lines)


def test_prefixes_of_odd_numbers():
    each_agrees("torch.cummax(x, 1)\ntorch.cummin(x, 1)\ntorch.logcumsumexp(x, 1)", x=ODD)
    x = torch.tensor([-torch.inf, -torch.inf, 900.0, -900.0, 901.0, torch.inf])
    each_agrees("torch.logcumsumexp(x, 0)\ntorch.cummax(x, 0)\ntorch.cummax(x[0], 0)\ntorch.logcumsumexp(x[2], 0)", x=x)


def test_whole_numbers():
    each_agrees("torch.cummax(i, 1)\ntorch.cummin(i, 0)", i=torch.randint(-3, 4, (3, 6)))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("torch.nanmedian(x, 1)", "orders no NaN"),
        ("torch.mode(x, 1)", "its steps depend on the numbers"),
        ("torch.lgamma(x)", "special function"),
        ("torch.linalg.qr(x)", "factors a matrix"),
        ("F.fractional_max_pool2d(x[None], 2, output_size=2)", "which element goes where"),
        ("torch.nextafter(x, x)", "bits of its numbers"),
        ("x.as_strided((2, 2), (1, 2))", "its place in memory"),
        ("F.multilabel_margin_loss(x[0], torch.tensor([[0, 1, -1, 0, 0]] * 7))", "other numbers than torch"),
    ],
)
def test_what_is_refused_says_why(call, why):
    with pytest.raises(Refused, match=why):
        each_agrees(call, x=X)
