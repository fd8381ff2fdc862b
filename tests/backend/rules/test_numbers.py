"""Numbers that a storage type has no room for, in attributes, constants, weights and inputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import ttc
from tests.emulated import emulated
from ttc.backend.rules.numbers import LOWEST_I32, held, lowest
from ttc.calls.target import TARGETS
from ttc.errors import Refusal
from ttc.ir import DType, Weight, parse_graph
from ttc.ir.types import LARGEST, TensorType
from ttc.ir.weights import Weights, kept_finite
from ttc.ops.torch_types import stored_as
from ttc.pipeline import Options, compile_graph

F32 = torch.finfo(torch.float32)
BF16 = torch.finfo(torch.bfloat16)


def test_finite_numbers_stay_finite_and_others_what_they_are():
    assert held(F32.min, DType.bf16) == BF16.min
    assert held(F32.max, DType.bfp8) == BF16.max
    assert held(F32.max, DType.f32) == F32.max
    assert held(1e300, DType.f32) == F32.max
    assert held(-math.inf, DType.bf16) == -math.inf
    assert math.isnan(held(math.nan, DType.bf16))
    assert held(7.9, DType.i32) == 7
    assert (lowest(DType.bf16), lowest(DType.f32), lowest(DType.i32)) == (BF16.min, F32.min, LOWEST_I32)
    with pytest.raises(Refusal, match="does not fit the device's 32 bits"):
        held(2**31, DType.i32)


@pytest.mark.parametrize("dtype", [DType.bf16, DType.f32])
def test_arrays_are_stored_as_numbers_are(dtype: DType):
    numbers = np.array([F32.max, F32.min, np.inf, -np.inf, np.nan, 1.5, 0.0], np.float32)
    wanted = np.array([held(float(x), dtype) for x in numbers])
    np.testing.assert_array_equal(kept_finite(numbers, dtype), wanted)
    np.testing.assert_array_equal(stored_as(torch.from_numpy(numbers), dtype).float(), wanted)
    assert stored_as(torch.tensor([1e300], dtype=torch.float64), dtype).item() == LARGEST[dtype]


class Overflowing(torch.nn.Module):
    """Attributes, constants and a weight that are more than bf16 holds."""

    def __init__(self, number: float):
        super().__init__()
        self.number = number
        self.w = torch.nn.Parameter(torch.full((4,), number))

    def forward(self, x, mask):
        low = torch.full((4,), self.number)
        return (
            F.pad(x, (1, 1), value=self.number),
            F.pad(x, (1, 1), value=self.number).amax(-1),
            x.masked_fill(mask, self.number),
            torch.where(mask, x, self.number),
            torch.where(mask, low, x),
            x.clamp(self.number, -self.number) if self.number < 0 else x.clamp(-self.number, self.number),
            torch.where(mask, self.w, x),
            torch.full_like(x, self.number),
            x.clamp(min=self.number) if self.number < 0 else x.clamp(max=self.number),
            torch.nan_to_num(x, neginf=self.number, posinf=self.number),
            F.threshold(x, 0.5, self.number),
            torch.maximum(x, low),
        )


@pytest.mark.parametrize("number", [F32.min, F32.max, -math.inf, math.inf, BF16.min, -3.39e38])
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_attributes_that_bf16_has_no_room_for(number: float, dtype: str):
    """In a bf16 program the largest float32 is the largest of bf16: finite, beyond all else, and the call runs."""
    module = Overflowing(number)
    inputs = (torch.tensor([[0.5, -math.inf, math.inf, 2.0]]), torch.tensor([[True, False, True, False]]))
    with torch.no_grad():
        wanted = module(*inputs)
    limit = BF16 if dtype == "bf16" else F32
    for i, (found, exact) in enumerate(zip(ttc.compile(module, inputs, dtype=dtype)(*inputs), wanted, strict=True)):
        exact = torch.where(exact.isfinite(), exact.clamp(limit.min, limit.max), exact)
        torch.testing.assert_close(found, exact, rtol=0.0 if dtype == "fp32" else 2**-8, atol=0.0, msg=str(i))


@pytest.mark.parametrize("given", ["input", "weight"])
def test_the_largest_float32_given_to_a_bf16_program_stays_finite(given: str):
    """A mask of finfo.min times 0 is 0, and minus itself too."""
    source = 'input(name="m")' if given == "input" else 'const(ref="m")'
    text = f"""graph {{
  %x: f32[1,4] = input(name="x")
  %m: f32[1,4] = {source}
  %y: f32[1,4] = mul(a=%x, b=%m)
  return "y"=%y
}}"""
    numbers = np.array([[F32.min, F32.max, -np.inf, 1.0]], np.float32)
    graph = parse_graph(text, Weights({"m": Weight(TensorType(DType.f32, (1, 4)), lambda: numbers)}))
    build = compile_graph(graph, Options(TARGETS["n150"], "bf16"))
    inputs = {"x": np.array([[0.0, -0.5, 2.0, 3.0]], np.float32)} | ({"m": numbers} if given == "input" else {})
    found = emulated(build, inputs)["y"]
    np.testing.assert_array_equal(found, [[0.0, -BF16.max / 2, -np.inf, 3.0]])
