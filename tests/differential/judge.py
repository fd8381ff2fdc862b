"""Whether a program's results are right: the one rule of the random programs.

Truth is the framework in float64. `runs` are the same with every result rounded at random to the bits of the program's
format. An element is *decided* where truth and all runs agree on what it is: the same integer or boolean, finite or
the same infinity or NaN. A decided float may depart from truth by

    tolerance * largest + MARGIN * spread

where `largest` is the largest finite number of the output and `spread` the departure of the runs: the element's own
largest or that of nine tenths of the elements, whichever is more. With numbers that rounding does not magnify that is
the tolerance alone.

Infinities and NaN are left open, too, beside a pole: where `MARGIN * spread` is more than the element itself, and both
together no less than half of the elements are. A reciprocal of what rounding moves by a tenth of itself may be one of
zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = {"fp32": 1e-4, "bf16": 2.0**-6}
"""Scaled errors: issue 5's for fp32; for bf16 two roundings of half a unit, and as much again where calls add terms."""

MARGIN = {"fp32": 16.0, "bf16": 4.0}
"""How much more than the runs a program may depart: it rounds at places of its own, and functions by a few units."""

BITS = {"fp32": 24, "bf16": 8}
RUNS = 6
MANY_RUNS = 40
"""Of a result that a few find wrong: an element whose last bit decides may round alike in a few."""


@dataclass(frozen=True)
class Verdict:
    """`wrong` says what is, or is empty; `decided` and `tight` are shares of elements.

    Tight elements are those where the runs allow no more than the tolerance again.
    """

    wrong: str = ""
    decided: float = 1.0
    tight: float = 1.0


def judge(found: np.ndarray, truth: np.ndarray, runs: list[np.ndarray], dtype: str) -> Verdict:
    """One output; `found` in the dtype that the model declares."""
    if found.shape != truth.shape:
        return Verdict(f"shape {list(found.shape)}, not {list(truth.shape)}")
    if truth.dtype.kind != "f":
        same = np.all([run == truth for run in runs], axis=0)
        return _report(same & (found != truth), found, truth, same.mean(), same.mean())
    kind = _kinds(truth)
    decided = np.all([_kinds(run) == kind for run in runs], axis=0)
    wide = found.astype("float64")
    finite = decided & (kind == 0) & np.isfinite(wide)
    largest = np.abs(truth[decided & (kind == 0)]).max(initial=0)
    with np.errstate(invalid="ignore"):
        spread = np.max([np.abs(run - truth) for run in runs], axis=0)
        moved = MARGIN[dtype] * spread
        usual = np.median(np.abs(truth[decided & (kind == 0)])) if finite.any() else 0.0
        pole = (kind == 0) & (moved > np.abs(truth)) & (moved + np.abs(truth) >= usual)
        wrong = decided & (_kinds(wide) != kind) & ~pole
        allowed = TOLERANCE[dtype] * largest + MARGIN[dtype] * np.maximum(
            spread, np.quantile(spread[finite], 0.9) if finite.any() else 0
        )
        allowed += 2 * np.finfo(found.dtype).eps * np.abs(truth) + np.finfo("float32").tiny
        wrong |= finite & (np.abs(wide - truth) > allowed)
    tight = finite & (allowed <= 2 * TOLERANCE[dtype] * largest + 1e-30)
    return _report(wrong, wide, truth, decided.mean(), (tight | (decided & (kind != 0))).mean())


def _kinds(x: np.ndarray) -> np.ndarray:
    """0 for finite numbers, 1 and -1 for infinities, 2 for NaN."""
    return np.where(np.isnan(x), 2, np.where(np.isinf(x), np.sign(x), 0))


def _report(wrong: np.ndarray, found: np.ndarray, truth: np.ndarray, decided: float, tight: float) -> Verdict:
    if not wrong.any():
        return Verdict("", float(decided), float(tight))
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    text = f"{int(wrong.sum())} of {wrong.size} elements, {list(at)}: {found[at]}, not {truth[at]}"
    return Verdict(text, float(decided), float(tight))
