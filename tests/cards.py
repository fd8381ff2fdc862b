"""The cards that tests go over: of each architecture the first in all tests, its sisters where that takes no time.

Sisters differ in DRAM banks alone, if in anything: long tests leave them to the sweep.
"""

from __future__ import annotations

import pytest

from ttc.calls.target import TARGETS

FIRST = tuple({target.arch: name for name, target in reversed(TARGETS.items())}.values())[::-1]
"""The first card of each architecture."""

SISTERS = tuple(name for name in TARGETS if name not in FIRST)

EACH_CARD = [*FIRST, *(pytest.param(name, marks=pytest.mark.sweep) for name in SISTERS)]
"""Parameters of a long test: all cards by name."""
