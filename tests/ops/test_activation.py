"""An activation inside a product computes the numbers that the op of that name computes."""

from __future__ import annotations

import pytest
import torch

from ttc import ops
from ttc.ir import DType, Input, TensorType, Value
from ttc.ops.activation import FAMILIES

NUMBERS = (-torch.inf, -3e38, -100.0, -3.1, -1.0, -0.0, 0.0, 0.4, 1.1, 15.9, 16.0, 16.1, 3e38, torch.inf, torch.nan)
TYPE = TensorType(DType.f32, (len(NUMBERS),))
OPERAND = Value(Input(TYPE, "x"), TYPE, "x")


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.op is not None])
def test_an_activation_is_the_op_of_the_same_name(name):
    family = FAMILIES[name]
    assert family.op is not None
    x = torch.tensor(NUMBERS)
    (wanted,) = ops.evaluate_op(family.op(OPERAND, *family.usual), lambda _: x)
    torch.testing.assert_close(family.function(x, *family.usual), wanted, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh"])
def test_gelu_of_infinity_and_of_the_largest_numbers_is_the_number(name):
    x = torch.tensor([16.1, 3e38, torch.inf])
    assert torch.equal(FAMILIES[name].function(x), x)
    assert torch.isnan(FAMILIES[name].function(torch.tensor(torch.nan)))
