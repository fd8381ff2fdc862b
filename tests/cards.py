"""The cards that tests go over: of each architecture the first in all tests, its sisters where that takes no time.

Sisters differ in DRAM banks alone, if in anything: long tests leave them to the sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle, product
from typing import Any

import pytest

from ttc.calls.target import TARGETS


def swept(*values: Any) -> Any:
    """One case of a parametrised test that is left to the sweep."""
    return pytest.param(*values, marks=pytest.mark.sweep)


FIRST = tuple({target.arch: name for name, target in reversed(TARGETS.items())}.values())[::-1]
"""The first card of each architecture."""

SISTERS = tuple(name for name in TARGETS if name not in FIRST)

EACH_CARD = [*FIRST, *map(swept, SISTERS)]
"""Parameters of a long test: all cards by name."""

_IN_TURN = list(zip(FIRST, cycle(("bf16", "fp32"))))
_OTHERS = [pair for pair in product(TARGETS, ("bf16", "fp32")) if pair not in _IN_TURN]

CARD_AND_DTYPE = [*_IN_TURN, *(swept(*pair) for pair in _OTHERS)]
"""Parameters of long tests: cards with a dtype each, the other dtypes of each card in the sweep."""


def in_turn(names: Iterable[str]) -> list[Any]:
    """Parameters of the longest tests: names with one card and dtype each, in turn, all other pairs in the sweep."""
    turns = [(name, *pair) for name, pair in zip(names, cycle(_IN_TURN))]
    others = product((name for name, *_ in turns), (*_IN_TURN, *_OTHERS))
    return [*turns, *(swept(name, *pair) for name, pair in others if (name, *pair) not in turns)]
