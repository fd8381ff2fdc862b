"""The cards that tests go over: of each architecture the first in all tests, its sisters where that takes no time.

Sisters differ in DRAM banks alone, if in anything: long tests leave them to the sweep.
"""

from __future__ import annotations

from itertools import cycle

import pytest

from ttc.calls.target import TARGETS

FIRST = tuple({target.arch: name for name, target in reversed(TARGETS.items())}.values())[::-1]
"""The first card of each architecture."""

SISTERS = tuple(name for name in TARGETS if name not in FIRST)

EACH_CARD = [*FIRST, *(pytest.param(name, marks=pytest.mark.sweep) for name in SISTERS)]
"""Parameters of a long test: all cards by name."""

_IN_TURN = list(zip(FIRST, cycle(("bf16", "fp32"))))

CARD_AND_DTYPE = [
    *_IN_TURN,
    *(
        pytest.param(name, dtype, marks=pytest.mark.sweep)
        for name in TARGETS
        for dtype in ("bf16", "fp32")
        if (name, dtype) not in _IN_TURN
    ),
]
"""Parameters of the longest tests: cards with a dtype each, the other dtypes of each card in the sweep."""
