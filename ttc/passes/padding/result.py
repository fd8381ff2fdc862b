"""What a walk gives: a program that is safe, or what has to be cleaned first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ttc.errors import Refused
from ttc.ir import Graph, Value
from ttc.ir.lengths import Extent, Length
from ttc.ops.padding import Region


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
    `guessed` whether lengths were found that more sizes would make certain. `regions` is what is known of the padding
    of each value that a rule stated something of.
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
    regions: Mapping[Value, Region]


ONE_SIZE = ("for one size of each length no padding has to be safe: --length NAME=N (lengths={NAME: N} in Python)",)
"""What can be done where padding reaches a result."""


class Doubtful(Refused):
    """A refusal where lengths had to be guessed: more sizes may tell."""


class Unclean(Exception):
    """Values whose padding must be finite, and may not be."""

    def __init__(self, names: frozenset[str]):
        super().__init__()
        self.names = names
