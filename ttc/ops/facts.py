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


class Exactness(Enum):
    """Exactness of an op's results where its operands are exact: computed from inputs, integers and constants alone.

    `kept` by arithmetic, elementary functions, reductions, look-ups and moves; `signal` for waves and their products,
    of which signals and spectra are made; `lost` by activations and layers, which round in any case.
    """

    KEPT = "kept"
    SIGNAL = "signal"
    LOST = "lost"


@dataclass(frozen=True)
class Facts:
    """Facts of an op's results as numbers; they state nothing of NaN.

    All results lie in `span`. An op of one operand x is monotone where all of x is in its domain if its `slope` is 1
    (rising) or -1 (falling). Results are no less and no more than the elements of the operands `within`, of which
    they are a choice or a mean. An elementwise op `decides` if results differ much for operands that differ little,
    and `commutes` if its two operands may swap. An op `moves` elements if it computes none, whatever their dtype.
    Results on integers of few bits may be beyond these if the op `overflows`. An op `shrinks` if it may give a tensor
    without elements for operands with elements.
    """

    finite: Finite
    exactness: Exactness
    span: tuple[float, float] = (-inf, inf)
    slope: int = 0
    within: tuple[str, ...] = ()
    decides: bool = False
    commutes: bool = False
    moves: bool = False
    overflows: bool = False
    shrinks: bool = False


def facts_of(op: Op) -> Facts:
    """Return the facts on an op's class."""
    return type(op).facts  # type: ignore[attr-defined]
