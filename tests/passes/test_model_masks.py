"""The model's own masks: which comparisons and products are ones, and when they are made certain to save others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.passes.padded_models import module
from tests.passes.test_padding_masks import lengths, masks, tokens, valid

READERS = (torch.sigmoid, torch.tanh, torch.cos)
"""Functions of a value; each is summed over the length, which takes a mask of its own where the model's is none."""

CERTAIN = "beyond T: the model's own mask, which others rely on"
FINITE = "%x, 0 beyond T: inf or NaN would reach a valid element (%x)"
Comparison = Callable[[Tensor, Tensor], Tensor]

BELOW: dict[str, Comparison] = {
    "lt": lambda position, length: position < length,
    "gt": lambda position, length: length > position,
    "le": lambda position, length: position <= length - 1,
    "ge": lambda position, length: length - 1 >= position,
}
BEYOND: dict[str, Comparison] = {
    "lt": lambda position, length: length - 1 < position,
    "gt": lambda position, length: position > length - 1,
    "le": lambda position, length: length <= position,
    "ge": lambda position, length: position >= length,
}


def positions(x: Tensor) -> Tensor:
    return torch.arange(x.shape[1])


def chosen(keep: Callable[..., Tensor]) -> nn.Module:
    """A model that sums several functions of x where `keep(x, ..)` [B, T] holds."""
    return module(lambda x, *more: tuple(torch.where(keep(x, *more)[..., None], f(x), 0.0).sum(1) for f in READERS))


@pytest.mark.parametrize("name", BELOW)
def test_a_comparison_that_keeps_what_is_valid_is_false_beyond(name: str):
    model = chosen(lambda x, own: BELOW[name](positions(x)[None], own[:, None]))
    assert masks(model, lengths) == [f"%{name}, 0 {CERTAIN} (%{name})"]


@pytest.mark.parametrize("name", BEYOND)
def test_a_comparison_that_drops_what_is_beyond_is_true_there(name: str):
    beyond = BEYOND[name]
    model = module(
        lambda x, own: tuple(
            torch.where(beyond(positions(x)[None], own[:, None])[..., None], 0.0, f(x)).sum(1) for f in READERS
        )
    )
    assert masks(model, lengths) == [f"%{name}, 1 {CERTAIN} (%{name})"]


def test_positions_beside_other_dimensions_of_the_length():
    """[T, 1, 1] < [B, T]: the positions are along dimension 0 of the result, the other operand's along dimension 2."""
    model = module(lambda x: tuple((positions(x)[:, None, None] < x[:, :, 0]).float().mul(n).sum(0) for n in (1, 2, 3)))
    (found,) = masks(model)
    assert CERTAIN in found


@pytest.mark.parametrize(
    ("keep", "more"),
    [
        (lambda x: positions(x)[None] < x[:, :, 0], []),  # beside a value that ends where the positions do
        (lambda x, own: x[:, :, 0] < own[:, None], [lengths]),  # no positions
        (lambda x, own: own[:, None] < x[:, :, 0], [lengths]),
        (lambda x, own: positions(x)[None] == own[:, None], [lengths]),  # nothing that ends
    ],
)
def test_other_comparisons_are_no_masks(keep: Callable[..., Tensor], more: list):
    found = masks(chosen(keep), *more)
    assert len(found) == len(READERS)
    assert all("a reduction over the length" in mask for mask in found)


@pytest.mark.parametrize("product", [lambda x, keep: x * keep, lambda x, keep: keep * x])
def test_a_product_with_zeros_makes_the_other_factor_finite(product: Comparison):
    """A boolean input is 0 in its padding; NaN times 0 would be NaN, so x is masked, once for all products."""
    model = module(lambda x, keep: tuple(product(f(x), keep[..., None].float()).sum(1) for f in READERS))
    assert masks(model, valid) == [FINITE]


def test_one_product_is_masked_itself():
    model = module(lambda x, keep: (x.sigmoid() * keep[..., None].float()).sum(1))
    assert masks(model, valid) == ["%mul, 0 beyond T: a reduction over the length (%sum_1)"]


def test_a_finite_factor_needs_no_mask():
    model = module(lambda x, keep: tuple((f(x.float()) * keep.float()).sum(1) for f in READERS))
    assert masks(model, valid, first=tokens) == []


def test_a_product_with_ones_is_no_mask():
    """Where the model drops what is valid, its numbers beyond are 1, and the products anything."""
    model = module(lambda x, keep: tuple((f(x) * (~keep[..., None]).float()).sum(1) for f in READERS))
    assert all("a reduction over the length" in mask for mask in masks(model, valid))


def test_infinite_padding_of_a_product_over_the_length_becomes_zero():
    """The model's own inf where its mask is 0: inf times 0 is NaN."""
    model = module(lambda x, keep: x.float().masked_fill(~keep, torch.inf)[:, None] @ keep.float()[..., None])
    assert masks(model, valid, first=tokens) == [
        "%unsqueeze, 0 beyond T: a product that sums over the length (%matmul)"
    ]
