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
    """A mask that was put into the program: on which value, over which lengths, and why."""

    value: str
    lengths: tuple[Length, ...]
    fill: float
    why: str

    def __str__(self) -> str:
        return f"%{self.value}, {self.fill:g} beyond {', '.join(map(str, self.lengths))}: {self.why}"


@dataclass(frozen=True)
class Padded:
    """A program that takes true lengths, and what its user has to know of it.

    `names` are the length inputs, i64[samples] each, by the length they are of; `least` is what lengths must be at
    least for the model to have a result. `own` says whether the model has masks of its own that could be made certain,
    `guessed` whether lengths were found that more sizes would make certain. `abstracts` are the abstract values of the
    program's values, where these are stated.
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
"""The advice where padding reaches a result."""


class Doubtful(Refused):
    """A refusal where lengths had to be guessed: more sizes may tell."""


class NotFinite(Exception):
    """Values whose padding must be finite, and may not be."""

    def __init__(self, names: frozenset[str]):
        super().__init__()
        self.names = names
