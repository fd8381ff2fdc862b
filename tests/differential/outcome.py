"""What became of a random program."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ttc.errors import Refused, TtcError

DTYPES = ("fp32", "bf16")


@dataclass(frozen=True)
class Outcome:
    """`kind` is "right", "refused", "undecided" (nothing to judge), "wrong", or "raw" (an exception of no TtcError).

    `tight` is the share of elements that were held to the tolerance alone.
    """

    kind: str
    words: str = ""
    tight: float = 1.0

    @property
    def fault(self) -> bool:
        return self.kind in ("wrong", "raw")


def of_error(error: Exception) -> Outcome:
    """What an exception says of a program."""
    match error:
        case Refused():
            return Outcome("refused", "; ".join(reason for _, reason in error.reasons))
        case TtcError():
            return Outcome("refused", str(error).splitlines()[0])
    return Outcome("raw", f"{type(error).__name__}: {error}")


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of the frameworks about the odd programs that they are given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
