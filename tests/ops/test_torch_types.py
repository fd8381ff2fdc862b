"""Numbers put into storage: finite ones stay finite, others stay what they are, integers that do not fit are told."""

from __future__ import annotations

import math

import pytest
import torch

from ttc.errors import Refusal
from ttc.ir import DType
from ttc.ops.torch_types import stored_as

LARGEST_BF16 = float(torch.finfo(torch.bfloat16).max)
LARGEST_F32 = float(torch.finfo(torch.float32).max)


@pytest.mark.parametrize(
    ("dtype", "given", "largest"),
    [
        (DType.bf16, torch.float32, LARGEST_BF16),
        (DType.bf16, torch.float64, LARGEST_BF16),
        (DType.f32, torch.float64, LARGEST_F32),
    ],
)
def test_finite_numbers_stay_finite(dtype: DType, given: torch.dtype, largest: float):
    beyond = float(torch.finfo(given).max)
    numbers = torch.tensor([beyond, -beyond, largest, -largest, math.inf, -math.inf, math.nan, 1.0], dtype=given)
    found = stored_as(numbers, dtype).double().tolist()
    assert found[:6] == [largest, -largest, largest, -largest, math.inf, -math.inf]
    assert math.isnan(found[6])
    assert found[7] == 1.0


def test_one_number_too_large_in_either_direction_is_enough():
    for number in (LARGEST_F32, -LARGEST_F32):
        found = stored_as(torch.tensor([0.0, number]), DType.bf16).float().tolist()
        assert found == [0.0, math.copysign(LARGEST_BF16, number)]


def test_what_needs_no_clamp_is_rounded_to_nearest():
    assert stored_as(torch.tensor([1.00390625, 3e38]), DType.bf16).dtype == torch.bfloat16
    assert stored_as(torch.tensor([257.0]), DType.bf16).tolist() == [256.0]  # a tie, to even


@pytest.mark.parametrize(
    ("number", "fits"), [(2**31 - 1, True), (2**31, False), (-(2**31), True), (-(2**31) - 1, False)]
)
def test_integers_fit_or_are_refused(number: int, fits: bool):
    numbers = torch.tensor([0, number])
    if fits:
        assert stored_as(numbers, DType.i32).tolist() == [0, number]
    else:
        with pytest.raises(Refusal, match=f"the integer {number} does not fit the device's 32 bits"):
            stored_as(numbers, DType.i32)


def test_no_integers_at_all_fit_anywhere():
    assert stored_as(torch.zeros(0, dtype=torch.int64), DType.i32).shape == (0,)
