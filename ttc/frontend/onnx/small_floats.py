"""Rounding to floats of up to 8 bits, in float32: to nearest even, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ttc import ops
from ttc.errors import Refusal
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, is_nan, sign, where


@dataclass(frozen=True)
class Format:
    """A float format: bits of the fraction, exponent of the smallest normal number, largest number, overflow result."""

    fraction: int
    lowest: int
    largest: float
    beyond: float


FORMATS = {
    DType.f8e4m3fn: Format(3, -6, 448.0, math.nan),
    DType.f8e4m3fnuz: Format(3, -7, 240.0, math.nan),
    DType.f8e5m2: Format(2, -14, 57344.0, math.inf),
    DType.f8e5m2fnuz: Format(2, -15, 57344.0, math.nan),
    DType.f4e2m1: Format(1, 0, 6.0, 6.0),
}
"""Formats of: OCP 8-bit Floating Point Specification 1.0; OCP Microscaling 1.0; Noune et al. 2022 (FNUZ)."""
SCALE_LIMITS = (2.0**-127, 2.0**127)


def to_small_float(x: Expr, dtype: DType, saturate: bool, round_mode: str = "up") -> Expr:
    """Round x to `dtype`; numbers beyond its largest become the largest, or the format's overflow result."""
    if x.dtype is dtype:
        return x
    x = x.cast(DType.f32)
    if dtype is DType.f8e8m0:
        return _power_of_two(x, saturate, round_mode).cast(dtype)
    form = FORMATS[dtype]
    y = _rounded(x, form)
    beyond = abs(y) > form.largest
    y = where(beyond, sign(y) * (form.largest if saturate else form.beyond), y)
    if not math.isfinite(form.beyond):
        y = where(is_nan(x), x, y)
    return y.cast(dtype)


def _rounded(x: Expr, form: Format) -> Expr:
    """Round to nearest even: normal numbers in their bits, subnormal ones by a sum that leaves no smaller bits."""
    dropped = 23 - form.fraction
    bits = apply(ops.BitCast, x, DType.i32)
    # Half a unit less one bit, and one more if the kept part is odd, carries exactly where even rounding goes up.
    odd = (bits >> dropped) & 1
    carried = bits + ((1 << (dropped - 1)) - 1) + odd
    normal = apply(ops.BitCast, carried & -(1 << dropped), DType.f32)
    # Beside this number float32 keeps no bits below the format's smallest subnormal one: the sum rounds to even.
    magic = 1.5 * 2.0 ** (23 + form.lowest - form.fraction)
    subnormal = x + magic - magic
    small = abs(x) < 2.0**form.lowest
    return where(small, subnormal, normal)


def _power_of_two(x: Expr, saturate: bool, round_mode: str) -> Expr:
    """Round a positive number to a power of two, by its exponent bits; the fraction decides by `round_mode`."""
    extra = {"up": (1 << 23) - 1, "down": 0, "nearest": 1 << 22}
    if round_mode not in extra:
        raise Refusal(f"no round mode is called {round_mode!r}")
    # The fraction carries into the exponent, which alone is kept.
    bits = apply(ops.BitCast, x, DType.i32) + extra[round_mode]
    y = apply(ops.BitCast, bits & -(1 << 23), DType.f32)
    return y.clamp(*SCALE_LIMITS) if saturate else y
