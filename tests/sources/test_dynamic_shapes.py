"""Names of dimensions for arguments that a module takes by any name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ttc.errors import InputError
from ttc.sources.dynamic_shapes import named_dims


class TakesAny(nn.Module):
    def forward(self, x: Tensor, **others: Tensor) -> Tensor:
        return x + sum(others.values())


X = torch.zeros(2, 3)
CALL: Any = ((), {"x": X, "a": X, "b": X})


@pytest.mark.parametrize(
    "shapes",
    [
        {"x": None, "b": {1: "T"}},
        {"x": None, "others": {"b": {1: "T"}}},
        (None, {"b": {1: "T"}}),
    ],
)
def test_an_argument_is_known_by_its_own_name_and_as_torch_has_it(shapes: Any):
    assert {number: dims for number, dims in named_dims(shapes, CALL, TakesAny()).items() if dims} == {2: {1: "T"}}


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"c": {1: "T"}}, "dynamic_shapes names c, which the call does not give"),
        ((None, None, None), "dynamic_shapes has 3 entries, the call gives x, others"),
        ({"others": {"c": {1: "T"}}}, "dynamic_shapes speaks of 'c' in others, which is not there"),
    ],
)
def test_names_that_the_call_does_not_give(shapes: Any, message: str):
    with pytest.raises(InputError, match=message):
        named_dims(shapes, CALL, TakesAny())
