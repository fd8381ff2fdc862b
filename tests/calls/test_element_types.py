"""Element types that calls claim to take, put to the real library: every call that samples reach, every type.

A call whose `dtypes` promise more than TTNN takes fails here, block formats and numbers in the place of integer
tensors included. Prepared weights of convolutions are left out: no tensor but the library's own has their padding.
"""

from __future__ import annotations

import pytest

from tests.calls.claims import claims, first_of_each_kind, sampled_calls
from tests.calls.programs import BF16, I32, assert_as_predicted, spec, values
from ttc.calls import binary, ternary, unary
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DType


@pytest.mark.parametrize(
    ("target", "every"),
    [("n150", False), *(pytest.param(target, True, marks=pytest.mark.sweep) for target in TARGETS)],
)
def test_real_ttnn_takes_every_type_that_is_claimed(target: str, every: bool, ttnn_python: str):
    sampled = sampled_calls()
    chosen = sampled if every else first_of_each_kind(sampled)
    assert_as_predicted([program for call in chosen for program in claims(call)], target)


@pytest.mark.parametrize(
    ("dtype", "number", "message"),
    [
        (I32, 0.25, "a tensor of i32 cannot hold the number 0.25"),
        (I32, 2**31, "cannot hold the number 2147483648"),
        (I32, -(2**31) - 1, "cannot hold the number -2147483649"),
        (I32, float("inf"), "cannot hold the number inf"),
        (I32, float("nan"), "cannot hold the number nan"),
        (DType.u32, -1, "a tensor of u32 cannot hold the number -1"),
        (DType.u16, 2**16, "a tensor of u16 cannot hold the number 65536"),
    ],
)
def test_numbers_that_an_integer_tensor_cannot_hold_are_refused(dtype: DType, number: float, message: str):
    (x,) = values(spec(dtype, 2, 33))
    with pytest.raises(Refusal, match=message):
        binary.Multiply(x, number).infer()


@pytest.mark.parametrize("number", [0.25, 2**31, float("nan")])
def test_an_integer_tensor_is_not_selected_beside_such_a_number(number: float):
    (x,) = values(spec(I32, 2, 33))
    for call in (ternary.Where(x, x, number), ternary.Where(x, number, x)):
        with pytest.raises(Refusal, match="a tensor of i32 cannot hold the number"):
            call.infer()


@pytest.mark.parametrize("bound", [{"min": 0.5}, {"max": -0.5}, {"min": 0, "max": float("inf")}, {"min": 0.0}])
def test_integers_are_clamped_by_integers(bound: dict[str, float]):
    (x,) = values(spec(I32, 2, 33))
    with pytest.raises(Refusal, match=r"a tensor of i32 cannot hold the number|clamped by integers"):
        unary.Clamp(x, **bound).infer()


@pytest.mark.parametrize(("dtype", "number"), [(I32, 2**31 - 1), (I32, -(2**31)), (DType.u16, 2.0), (BF16, 0.25)])
def test_the_ends_of_a_type_are_numbers_of_it(dtype: DType, number: float):
    (x,) = values(spec(dtype, 2, 33))
    assert binary.Add(x, number).infer() == x.type
