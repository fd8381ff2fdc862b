"""Padding that may be infinite or NaN: what an op makes of it, and that it is masked where it would matter."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.passes.padded_claims import wrong_claims
from tests.passes.padded_models import check, in_bucket, module, padded, steps


def shares(x: torch.Tensor) -> torch.Tensor:
    """[B, T, T]"""
    return (x @ x.mT).softmax(-1)


FUNCTIONS = {
    "logarithm": lambda x: (x * x).log(),
    "reciprocal": lambda x: 1 / x,
    "reciprocal root": lambda x: (x * x).rsqrt(),
    "negative power": lambda x: x.pow(-2),
    "logarithm of one added": lambda x: torch.log1p(x.abs() - 1),
    "share of a sum": lambda x: x / x.sum(2, keepdim=True),
    "share of the largest": lambda x: x / x.abs().amax(2, keepdim=True),
    "share of a norm": lambda x: x / x.norm(dim=2, keepdim=True),
    "share of a deviation": lambda x: x / x.std(2, keepdim=True),
    "standard scores": lambda x: ((x - x.mean(2, keepdim=True)) / x.var(2, keepdim=True).sqrt()).square(),
    "norm without epsilon": lambda x: F.layer_norm(x, (4,), eps=0.0).square(),
    "a logarithm of shares": lambda x: x.softmax(1).log(),
    "logarithms of shares": lambda x: x.log_softmax(1),
    "an added infinity": lambda x: (x + torch.where(x > 9, x, torch.tensor(-torch.inf))).exp(),
    "inverse of a bounded function": lambda x: torch.atanh(torch.tanh(x * x * x) * 0.5),
    "product of many": lambda x: (x * 100).unflatten(2, (4, 1)).expand(-1, -1, -1, 30).prod(3).sign(),
}
"""[B, T, 4] to the same: finite where x is not zero."""

PRODUCTS = {
    "before shares": lambda x, y: shares(x) @ y,
    "of a length with itself": lambda x, y: y.mT @ x,
    "on the left": lambda x, y: x.mT @ y,
    "of two lengths": lambda x, y: torch.einsum("btc,bsc->bts", y, x).softmax(2) @ x,
    "a prefix sum": lambda x, y: y.cumsum(1),
    "a convolution": lambda x, y: F.conv1d(y.mT, torch.ones(4, 4, 3), padding=1),
    "attention": lambda x, y: F.scaled_dot_product_attention(x[:, None], x[:, None], y[:, None]),
    "a product with zeros": lambda x, y: (shares(x) * y.mean(2)[:, None]) @ x,
}


OFTEN = ("before shares", "a prefix sum", "attention")
"""Those that `make test` has; a sweep has all."""


@pytest.mark.parametrize("product", [p if p in OFTEN else pytest.param(p, marks=pytest.mark.sweep) for p in PRODUCTS])
def test_what_is_not_finite_is_masked_before_a_product(product):
    model = module(lambda x: tuple(PRODUCTS[product](x, function(x)) for function in FUNCTIONS.values()))
    found = padded(model)
    for length in (3, 9):
        check(model, found, length)
        torch.manual_seed(2)
        given = {"x": in_bucket(steps(length), length)}
        assert wrong_claims(found, given, {"T": [length] * found.samples}) == []
