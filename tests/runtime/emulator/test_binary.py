import numpy as np
import pytest
import torch

from tests.runtime.emulator.emulated import emulated
from ttc.calls import binary as calls
from ttc.calls import logic
from ttc.calls.ternary import Where
from ttc.ir import DType


def bf16(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.bfloat16)


def i32(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.int32)


def test_a_number_is_packed_in_the_tensors_format():
    (y,) = emulated(lambda x: calls.Multiply(x, 0.1), bf16(1.0))
    assert y[0] == torch.tensor(0.1).bfloat16().float()
    (y,) = emulated(lambda x: logic.Lt(x, 1.001), bf16(1.0))  # 1.001 is 1 in bf16
    assert y.tolist() == [0.0]
    (y,) = emulated(lambda x: logic.Lt(x, 1.001), torch.tensor([1.0]))
    assert y.tolist() == [1.0]


def test_a_number_beside_what_is_a_unary_call_stays_fp32():
    (y,) = emulated(lambda x: calls.Pow(x, 1.001), torch.tensor([2.0**20], dtype=torch.bfloat16))
    assert y[0] == torch.tensor(2.0**20).pow(1.001).bfloat16().float()
    assert y[0] != 2.0**20


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda a, b: calls.Div(a, b, rounding_mode="trunc"), [2, -2, -2, 2, 0]),
        (lambda a, b: calls.Div(a, b, rounding_mode="floor"), [2, -3, -3, 2, 0]),
        (lambda a, b: calls.Remainder(a, b), [1, 2, -2, -1, 0]),
        (lambda a, b: calls.Fmod(a, b), [1, -1, 1, -1, 0]),
    ],
)
def test_integer_division_rounds_as_named_and_survives_zero(make, wanted: list[int]):
    (y,) = emulated(make, i32(7, -7, 7, -7, 7), i32(3, 3, -3, -3, 0))
    assert y.tolist() == wanted


def test_rounded_division_rounds_the_quotient_first():
    (y,) = emulated(lambda a, b: calls.Div(a, b, rounding_mode="floor"), bf16(255.0), bf16(0.50390625))
    assert y[0] == np.floor(torch.tensor(255.0 / 0.50390625).bfloat16().float().item())


def test_comparisons_give_ones_and_zeros_in_the_operands_dtype():
    (y,) = emulated(logic.Ge, i32(1, 2, 3), i32(2))
    assert (y.dtype, y.tolist()) == (np.int32, [0, 1, 1])
    (y,) = emulated(logic.LogicalXor, bf16(2.0, 0.0, 3.0), bf16(0.0, 0.0, 5.0))
    assert y.tolist() == [1.0, 0.0, 0.0]


def test_numbers_first():
    (y,) = emulated(lambda x: calls.Subtract(1.0, x), torch.tensor([0.25, 3.0]))
    assert y.tolist() == [0.75, -2.0]
    (y,) = emulated(lambda x: calls.Div(1.0, x), torch.tensor([0.25, 4.0]))
    assert y.tolist() == [4.0, 0.25]


def test_where_asks_for_not_zero():
    (y,) = emulated(lambda c, a: Where(c, a, -1e30), torch.tensor([2.0, 0.0, -1.0]), torch.tensor([5.0, 6.0, 7.0]))
    assert y.tolist() == [5.0, np.float32(-1e30), 7.0]
    (y,) = emulated(Where, i32(1, 0), i32(5, 6), i32(8))
    assert y.tolist() == [5, 8]


def test_integers_wrap():
    (y,) = emulated(lambda x: calls.Add(x, 1), i32(2**31 - 1))
    assert y.tolist() == [-(2**31)]


def test_results_are_converted_after_the_call_has_computed_in_the_operands_dtype():
    (y,) = emulated(lambda a, b: logic.Lt(a, b, dtype=DType.bf16), i32(1, 2, 3), i32(2))
    assert y.tolist() == [1.0, 0.0, 0.0]
    (y,) = emulated(lambda a: calls.Multiply(a, 3, dtype=DType.bf16), i32(2**30, 86))  # the product wraps as i32
    assert y.tolist() == [-(2.0**30), 258.0]
    (y,) = emulated(lambda a, b: calls.Subtract(a, b, dtype=DType.bf16), torch.tensor([1.0]), torch.tensor([2**-9]))
    assert y.tolist() == [1.0]
