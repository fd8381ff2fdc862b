"""Twins: both sides go through views, in-place ops, choices and functions of torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ttc.acceleration.twin import Twin, found_side, joined, wanted_side, without_twins

A, B = torch.arange(12.0).reshape(3, 4), torch.arange(12.0).reshape(3, 4).flip(0) - 5


def twin() -> Twin:
    return Twin(A.clone(), B.clone())


def fill(x: Tensor) -> Tensor:
    x[1:, ::2] = 7.0
    return x


def through_view(x: Tensor) -> Tensor:
    x.transpose(0, 1)[2].mul_(3)
    return x


def chained(x: Tensor) -> Tensor:
    return x.add_(1).mul_(2).clamp_(max=9)


OPS: dict[str, Callable[[Tensor], Tensor]] = {
    "arithmetic": lambda x: 2 * x + torch.ones(4) - x / 3,
    "views": lambda x: x.view(4, 3).t()[1:].unsqueeze(0),
    "assignment": fill,
    "in place": chained,
    "in place of a view": through_view,
    "concatenation": lambda x: torch.cat([x, torch.zeros(1, 4), x], 0),
    "several results": lambda x: torch.stack([part.sum(1) for part in x.split(2, 1)]),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "indices": lambda x: A[x.argmax(1) % 3],
    "dtype": lambda x: x.to(torch.bfloat16).float(),
    "copy": lambda x: x.clone().detach().contiguous(),
    "recurrence": lambda x: torch.lstm_cell(x, (x, x), torch.ones(16, 4) / 9, torch.ones(16, 4) / 7)[0],
}


@pytest.mark.parametrize("op", OPS)
def test_both_sides(op: str):
    found = OPS[op](twin())
    assert isinstance(found, Twin)
    assert found.shape == OPS[op](A.clone()).shape
    torch.testing.assert_close(found.found, OPS[op](A.clone()), rtol=0, atol=0)
    torch.testing.assert_close(found.wanted, OPS[op](B.clone()), rtol=0, atol=0)


def test_a_plain_tensor_that_is_written_to_takes_the_device_side_once():
    x = torch.zeros(3, 4)
    x += twin()
    x.add_(twin())
    assert type(x) is Tensor
    torch.testing.assert_close(x, 2 * A)


def test_numbers_are_the_devices():
    x = twin()
    assert x[0, 1].item() == 1
    assert x.tolist() == A.tolist()
    assert (x.numpy() == A.numpy()).all()
    assert bool((x == A).all())
    assert "Twin(" in repr(x)


def test_trees():
    x = twin()
    tree = {"a": (x, 3), "b": A}
    assert found_side(tree)["a"] == (x.found, 3)
    assert wanted_side(tree)["a"][0] is x.wanted
    assert wanted_side(tree)["b"] is A
    assert wanted_side(tree, torch.clone)["b"] is not A
    assert wanted_side(tree, torch.clone)["a"][0] is x.wanted
    assert without_twins(None, None, tree)["a"][0] is x.found


def test_results_of_two_forms_are_the_devices():
    made = joined((A, A, 1, A), (B, B[:1], 2, B.double()))
    assert isinstance(made[0], Twin)
    assert made[1] is A
    assert made[2] == 1
    assert made[3].wanted.dtype is torch.float32
