"""Numbers as the device's formats hold them: an infinity stays infinite, and a finite number stays finite.

The largest float32 is infinite when rounded to bf16, and a mask made of it would then multiply and subtract
infinities.
"""

from __future__ import annotations

from math import isfinite

from ttc.calls.target import ARCHITECTURES
from ttc.errors import Refusal
from ttc.ir import DType
from ttc.ir.types import LARGEST

LOWEST_I32 = max(architecture.integers[0] for architecture in ARCHITECTURES.values())
"""Lowest integer that every card's vector unit computes with."""


def held(number: float, dtype: DType) -> float:
    """Clamp a finite `number` to the finite range of a tensor of `dtype`; Refusal for integers beyond 32 bits."""
    if dtype.is_integer:
        if not -(2**31) <= number < 2**31:
            raise Refusal(f"the integer {number} does not fit the device's 32 bits")
        return int(number)
    # The largest float32 is beyond bf16's range: a finite mask must not become infinite, an infinite one must stay so.
    largest = LARGEST.get(dtype, LARGEST[DType.bf16])
    return max(-largest, min(largest, float(number))) if isfinite(number) else float(number)


def lowest(dtype: DType) -> float:
    """Return the lowest finite number of a tensor of `dtype`."""
    return float(LOWEST_I32) if dtype.is_integer else -LARGEST.get(dtype, LARGEST[DType.bf16])
