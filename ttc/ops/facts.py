"""Facts that hold for an op whatever its operands are: one `facts` on each op's class, tested by evaluating the op."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import inf

from ttc.ir import Op

LARGE = 1e4
"""Magnitude that numbers of networks do not exceed, masks aside."""


class Finite(Enum):
    """Finite operands for which an op's results are surely finite: all, those up to `LARGE`, or some only."""

    ALL = "all"
    ORDINARY = "ordinary"
    SOME = "some"


@dataclass(frozen=True)
class Facts:
    """Facts of an op's results as numbers; they state nothing of NaN.

    All results lie in `span`. An op of one operand x is monotone where all of x is in its domain if its `slope` is 1
    (rising) or -1 (falling). Results are no less and no more than the elements of the operands `within`, of which
    they are a choice or a mean.
    """

    finite: Finite
    span: tuple[float, float] = (-inf, inf)
    slope: int = 0
    within: tuple[str, ...] = ()


def facts_of(op: Op) -> Facts:
    """Return the facts on an op's class."""
    return type(op).facts  # type: ignore[attr-defined]
