"""Interval arithmetic (Moore 1966): bounds of a value, from the ops that compute the value."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor, inf, isfinite, isnan, prod

import torch

from ttc.ir import DType, Input, Op, Value
from ttc.ops import activation, binary, cast, norm, reduce, shape, unary
from ttc.ops.constant import Full, Literal, number_of
from ttc.ops.facts import LARGE, Finite, facts_of
from ttc.ops.skew import Skew

TINY = 1e-30
"""Magnitude below which a number may as well be zero: a card holds no denormal numbers."""

SMALL = 1e-13
"""Magnitude of divisors from which on quotients stay so small that products of a few of them are finite."""

DEPTH = 12
"""Number of ops that are looked at, one before the other."""


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`."""

    low: float = -inf
    high: float = inf

    @property
    def size(self) -> float:
        """Return the largest magnitude in the interval."""
        return max(abs(self.low), abs(self.high))

    def nonzero(self, least: float) -> bool:
        """Return whether the whole interval is at least `least` away from zero, on one side."""
        return self.low >= least or self.high <= -least


EVERYTHING = Interval()
NOT_NEGATIVE = Interval(0.0)


def interval(value: Value, inputs: Interval = EVERYTHING) -> Interval:
    """Bound every element of a value that is not NaN, in padding as elsewhere; run-time integers lie in `inputs`."""
    return _Ranges(inputs).of(value, DEPTH)


def surely_finite(op: Op) -> bool:
    """Return whether an op's results are surely finite: operands are finite, within bounds and `LARGE`."""
    facts = facts_of(op)
    if facts.finite is not Finite.SOME:
        return True
    match op:
        case unary.Reciprocal(x=x) | binary.Div(b=x) | binary.FloorDiv(b=x) | binary.Fmod(b=x) | binary.Remainder(b=x):
            return interval(x).nonzero(SMALL)
        case binary.Pow(a=base, b=exponent):
            return _finite_power(interval(base), number_of(exponent))
        case reduce.Prod(x=x) | reduce.Cumprod(x=x):
            return interval(x).size <= 1
        case norm.LayerNorm(eps=eps) | norm.RmsNorm(eps=eps) | norm.GroupNorm(eps=eps) | norm.BatchNorm(eps=eps):
            return eps >= TINY
        case unary.Unary(x=x) if facts.slope:
            return all(map(isfinite, _at_ends(op, _ordinary(interval(x)))))
        case unary.Cosh(x=x):
            return interval(x).size <= 80
    return False


def _finite_power(base: Interval, exponent: float | None) -> bool:
    """Return whether base^exponent is finite: small integer exponents for any base, others for positive bases."""
    if exponent is None or not -2 <= exponent <= 8:
        return False
    return (exponent >= 0 and (exponent % 1 == 0 or base.low >= 0)) or base.low >= SMALL


def _ordinary(found: Interval) -> Interval:
    """Cut an interval's open ends to numbers of usual size, and tiny ends to zero."""
    low, high = max(found.low, min(-LARGE, found.high)), min(found.high, max(LARGE, found.low))
    return Interval(low if abs(low) >= TINY else 0.0, high if abs(high) >= TINY else 0.0)


def _at_ends(op: Op, found: Interval) -> tuple[float, float]:
    """Evaluate an op of one operand at both ends of an interval, in float32."""
    low, high = op.eval(torch.tensor([found.low, found.high])).tolist()  # type: ignore[attr-defined]
    return low, high


def hull(*parts: Interval) -> Interval:
    """Return the smallest interval that holds these."""
    return Interval(min(part.low for part in parts), max(part.high for part in parts))


@dataclass
class _Ranges:
    """Intervals found for one question, each computed once."""

    inputs: Interval
    known: dict[Value, Interval] = field(default_factory=dict)

    def of(self, value: Value, depth: int) -> Interval:
        if value not in self.known:
            found = self._of_op(value, depth)
            low = max(found.low, 0.0) if value.dtype.kind in ("uint", "bool") else found.low
            high = min(found.high, 1.0) if value.dtype is DType.bool else found.high
            self.known[value] = Interval(low, high)
        return self.known[value]

    def _of_op(self, value: Value, depth: int) -> Interval:
        match value.op:
            case Full(value=number):
                return EVERYTHING if isnan(number) else Interval(number, number)
            case Literal(data=data):
                return Interval(min(data), max(data)) if data and not any(map(isnan, data)) else EVERYTHING
            case Input():
                return self.inputs if value.dtype.is_integer else EVERYTHING
            case reduce.Topk() if value.index == 1:
                return NOT_NEGATIVE
            case op if depth == 0 or not op.operands():
                return EVERYTHING
            case op:
                parts = [self.of(operand, depth - 1) for operand in op.operands()]
                return self._arithmetic(op, parts) or _by_facts(op, parts)

    def _arithmetic(self, op: Op, parts: list[Interval]) -> Interval | None:
        """Return the interval of an op that computes with intervals as with numbers; None for other ops."""
        x, other = parts[0], parts[-1]
        match op:
            case binary.Add():  # [a, b] + [c, d] = [a + c, b + d]
                return _ends(x.low + other.low, x.high + other.high)
            case binary.Sub():  # [a, b] - [c, d] = [a - d, b - c]
                return _ends(x.low - other.high, x.high - other.low)
            case binary.Mul(a=a, b=b):  # x * x is a square, which the product of two independent factors would not know
                return _power(x, 2) if a is b else _products(x, other)
            case binary.Div():
                return _quotients(x, other) if op.a.dtype.is_float else None
            case unary.Reciprocal():
                return _quotients(Interval(1.0, 1.0), x)
            case unary.Rsqrt():
                return NOT_NEGATIVE if x.low >= TINY else EVERYTHING
            case unary.Abs() if x.low >= 0:
                return x
            case unary.Abs():
                return Interval(0.0, x.size)
            case binary.Pow(b=exponent):
                return _power(x, number_of(exponent))
            case binary.Minimum():
                return Interval(min(x.low, other.low), min(x.high, other.high))
            case binary.Maximum():
                return Interval(max(x.low, other.low), max(x.high, other.high))
            case reduce.Sum(x=whole, dims=dims):  # n terms in [a, b] sum to [n * a, n * b]
                return _times(x, prod(whole.shape[d] for d in dims))
            case reduce.Cumsum(x=whole, dim=dim):  # between 0 (exclusive, the first) and n terms
                return hull(x, _times(x, whole.shape[dim] if whole.shape else 1), Interval(0.0, 0.0))
            case cast.Cast(dtype=dtype):
                return _cast(x, dtype)
            case activation.Softplus(beta=beta) if beta <= 0:
                return EVERYTHING
            case shape.Pad(value=number):
                return hull(x, Interval(number, number))
            case Skew():
                return hull(x, Interval(0.0, 0.0))
        return None


def _by_facts(op: Op, parts: list[Interval]) -> Interval:
    """Return the interval that the facts of an op's class give."""
    facts = facts_of(op)
    found = Interval(*facts.span)
    if facts.slope and len(parts) == 1:
        ends = _at_ends(op, parts[0])[:: facts.slope]
        found = Interval(*(span if isnan(end) else end for end, span in zip(ends, facts.span, strict=True)))
    if facts.within:
        names = {id(v) for name in facts.within for v in _listed(getattr(op, name))}
        found = hull(*(part for part, v in zip(parts, op.operands(), strict=True) if id(v) in names))
    return found


def _listed(operand: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return operand if isinstance(operand, tuple) else (operand,)


def _ends(low: float, high: float) -> Interval:
    """Return the interval between two ends, open where infinities have cancelled."""
    return Interval(-inf if isnan(low) else low, inf if isnan(high) else high)


def _products(a: Interval, b: Interval) -> Interval:
    # The ends of a product are among the four products of ends; 0 * inf is 0, as an open end means finite numbers.
    ends = [0.0 if 0.0 in (x, y) else x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Interval(min(ends), max(ends))


def _times(x: Interval, count: int) -> Interval:
    """Return the interval of the sum of `count` numbers."""
    return _products(x, Interval(float(count), float(count)))


def _quotients(a: Interval, b: Interval) -> Interval:
    """Return the interval of a / b; everything where b may be zero, whose sign may be either."""
    # a / [c, d] = a * [1 / d, 1 / c] where 0 is not in [c, d]
    if not b.nonzero(TINY):
        return EVERYTHING
    return _products(a, Interval(1 / b.high, 1 / b.low))


def _power(x: Interval, exponent: float | None) -> Interval:
    """Return the interval of x to a known exponent; a negative zero to a negative power may be a negative infinity."""
    if exponent is None or exponent % 2:
        if exponent is not None and exponent > 0 and (x.low >= 0 or exponent % 2 == 1):
            return Interval(_raised(x.low, exponent), _raised(x.high, exponent))
        return NOT_NEGATIVE if x.low >= TINY else EVERYTHING
    # An even power is largest at the largest magnitude, and never negative.
    return Interval(0.0, _raised(x.size, exponent)) if exponent > 0 else NOT_NEGATIVE


def _raised(number: float, exponent: float) -> float:
    try:
        return number**exponent
    except OverflowError:
        return inf if number > 0 else -inf


def _cast(x: Interval, dtype: DType) -> Interval:
    """Return the interval after a cast: integers, if the dtype holds them; small floats overflow to infinity."""
    if dtype is DType.bool:
        return Interval(0.0, 1.0)
    if dtype.is_float:
        return x if dtype.bytes >= 4 or dtype is DType.bf16 or x.size <= LARGE else EVERYTHING
    limit = 2.0 ** (8 * dtype.bytes - (dtype.kind == "int"))
    wraps = x.size >= limit if isfinite(x.size) else dtype.bytes < 4
    if not dtype.is_integer or wraps or (dtype.kind == "uint" and x.low < 0):
        return EVERYTHING
    return Interval(floor(x.low) if isfinite(x.low) else x.low, ceil(x.high) if isfinite(x.high) else x.high)
