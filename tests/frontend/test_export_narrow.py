"""Integers of fewer than 32 bits wrap after each op, though the card computes in 32 bits."""

from __future__ import annotations

import pytest
import torch

import ttc
from tests.frontend.exporting import Expressions

ARITHMETIC = """
    (x + 100 + 100).float()
    (x - 100).float()
    (3 - x).float()
    (x * 3).int()
    (x + x.flip(1)).float()
    (-x).float()
    abs(x - 100).float()
    (x << 1).float()
    (x ** 2).float()
    (~x).float()
    (x * 3) // 7
    (x - 100) > 50
    (x * 3).sum()
    (x + 100).max(1)[0].float()
    torch.where(x > 100, x + 100, x).float()
    ((x + 100) & 127).float()
    torch.cat([x + 100, x]).float()
    table[(x + 100).long() & 255]
    x.cumsum(1)
    x.any(1), x.all(0, keepdim=True), x.any()
    x.argmin(1), x.argmax(1), x.argmin(), x.min(1)[1]
"""


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16], ids=str)
def test_results_wrap_before_the_next_op(dtype: torch.dtype):
    info = torch.iinfo(dtype)
    x = torch.arange(4 * 6).reshape(4, 6) * 11 % (info.max - info.min) + info.min
    x[0, 0], x[1, 1] = info.min, info.max
    model = Expressions(ARITHMETIC)
    inputs = {"x": x.to(dtype), "table": torch.arange(256.0)}
    found = ttc.compile(model, (), inputs, dtype="fp32").run(inputs)
    wanted = model(**inputs)
    flat = [y for result in wanted.values() for y in (result if isinstance(result, tuple) else (result,))]
    for name, mine, theirs in zip(found, found.values(), flat, strict=True):
        assert mine.dtype == theirs.numpy().dtype, name
        assert (mine == theirs.numpy()).all(), name


def test_flags_are_padded_with_flags():
    model = Expressions("F.pad(x, (1, 0), value=2).to(torch.uint8) // 2")
    inputs = {"x": torch.tensor([True, False])}
    (found,) = ttc.compile(model, (), inputs, dtype="fp32").run(inputs).values()
    assert found.tolist() == [0, 0, 0]


def test_the_smallest_of_the_ends_of_integers():
    """The opposite of the least integer is itself: order is turned by -1 - x."""
    x = torch.tensor([[3, -(2**31), 5], [2**31 - 1, 0, -(2**31) + 1]], dtype=torch.int32)
    found = ttc.compile(Expressions("x.argmin(1), x.min(1)[1]"), (), {"x": x}, dtype="fp32").run({"x": x})
    assert [y.tolist() for y in found.values()] == [[1, 2], [1, 2]]
