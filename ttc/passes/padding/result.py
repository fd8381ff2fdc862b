"""The result of an analysis: a program that is safe, or the values that have to be masked first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ttc.errors import Refused
from ttc.ir import Graph, Value
from ttc.ir.lengths import Extent, Length
from ttc.ops.padding import AbstractValue


@dataclass(frozen=True)
class Mask:
    """A mask that the analysis added to the program: the value, the lengths along the masked dimensions, the reason."""

    value: str
    lengths: tuple[Length, ...]
    fill: float
    why: str

    def __str__(self) -> str:
        return f"%{self.value}, {self.fill:g} beyond {', '.join(map(str, self.lengths))}: {self.why}"


@dataclass(frozen=True)
class Padded:
    """A program that takes true lengths, and the facts that a caller needs.

    `names` are the length inputs, i64[samples] each, by length; `least` are the smallest lengths for which the model
    has a result. `own` states whether the model has masks of its own that could be made certain, `guessed` whether more
    sizes would be needed to make a length certain. `abstracts` are the abstract values of the program's values, where
    stated.
    """

    graph: Graph
    names: Mapping[str, str]
    samples: int
    inputs: Mapping[str, Extent]
    outputs: Mapping[str, Extent]
    masks: tuple[Mask, ...]
    least: tuple[tuple[Length, int], ...]
    own: bool
    guessed: bool
    abstracts: Mapping[Value, AbstractValue]


ONE_SIZE = ("for one size of each length no padding has to be safe: --length NAME=N (lengths={NAME: N} in Python)",)
"""The advice to the user where padding reaches a result."""


class Doubtful(Refused):
    """A refusal where lengths had to be guessed: readings at more sizes may succeed."""


class NotFinite(Exception):
    """The values whose padding must be finite, and may hold inf or NaN."""

    def __init__(self, names: frozenset[str]):
        super().__init__()
        self.names = names
