"""Rounding to floats of up to 8 bits, in float32: to nearest even, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.ir import DType, Value


@dataclass(frozen=True)
class Format:
    """A format: bits of its fraction, exponent of its smallest normal number, largest number, what lies beyond."""

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
"""OCP 8-bit Floating Point Specification 1.0; OCP Microscaling Formats 1.0; Noune et al. 2022 (FNUZ)."""
SCALE_LIMITS = (2.0**-127, 2.0**127)


def to_small_float(b: Emitter, x: Value, dtype: DType, saturate: bool, round_mode: str = "up") -> Value:
    """x rounded to `dtype`; numbers beyond its largest become that, or what the format has beyond it."""
    if x.dtype is dtype:
        return x
    x = b.cast(x, DType.f32)
    if dtype is DType.f8e8m0:
        return b.cast(_power_of_two(b, x, saturate, round_mode), dtype)
    form = FORMATS[dtype]
    y = _rounded(b, x, form)
    beyond = b(ops.Gt(b(ops.Abs(y)), b.full(form.largest, DType.f32)))
    top = b.full(form.largest if saturate else form.beyond, DType.f32)
    y = b(ops.Where(beyond, b(ops.Mul(b(ops.Sign(y)), top)), y))
    if not math.isfinite(form.beyond):
        y = b(ops.Where(b(ops.IsNan(x)), x, y))
    return b.cast(y, dtype)


def _rounded(b: Emitter, x: Value, form: Format) -> Value:
    """To nearest even: normal numbers in their bits, subnormal ones by adding a number that leaves no smaller bits."""
    dropped = 23 - form.fraction
    bits = b(ops.BitCast(x, DType.i32))

    def number(value: int) -> Value:
        return b.full(value, DType.i32)

    odd = b(ops.And(b(ops.ShiftRight(bits, number(dropped))), number(1)))
    carried = b(ops.Add(b(ops.Add(bits, number((1 << (dropped - 1)) - 1))), odd))
    normal = b(ops.BitCast(b(ops.And(carried, number(-(1 << dropped)))), DType.f32))
    magic = b.full(1.5 * 2.0 ** (23 + form.lowest - form.fraction), DType.f32)
    subnormal = b(ops.Sub(b(ops.Add(x, magic)), magic))
    small = b(ops.Lt(b(ops.Abs(x)), b.full(2.0**form.lowest, DType.f32)))
    return b(ops.Where(small, subnormal, normal))


def _power_of_two(b: Emitter, x: Value, saturate: bool, round_mode: str) -> Value:
    """A positive number as a power of two, by its exponent bits; the fraction decides by `round_mode`."""
    extra = {"up": (1 << 23) - 1, "down": 0, "nearest": 1 << 22}
    if round_mode not in extra:
        raise Refusal(f"no round mode is called {round_mode!r}")
    bits = b(ops.Add(b(ops.BitCast(x, DType.i32)), b.full(extra[round_mode], DType.i32)))
    y = b(ops.BitCast(b(ops.And(bits, b.full(-(1 << 23), DType.i32))), DType.f32))
    return b(ops.Clamp(y, *SCALE_LIMITS)) if saturate else y
