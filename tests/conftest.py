"""What tests share: the Python that has the real ttnn."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import _lru_cache_wrapper

import pytest

from tests import mock_cards
from ttc.errors import TtcError
from ttc.runtime.check.interpreter import ttnn_interpreter

LONGEST = ("tests/models/test_sequences.py", "tests/models/test_zoo.py")
"""The two files that take the most time: each worker begins with one, so that none is left at the end, shared out among
the workers model by model, each of which would compile the model anew."""


@pytest.hookimpl(trylast=True)  # when those of the sweep are gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order tests for two workers, which take a half each: the longest files stand at the beginnings of the halves."""
    first, second = ([item for item in items if item.nodeid.startswith(file)] for file in LONGEST)
    others = [item for item in items if not item.nodeid.startswith(LONGEST)]
    middle = max(0, (len(items) + 1) // 2 - len(first))
    items[:] = [*first, *others[:middle], *second, *others[middle:]]


def pytest_collection_finish() -> None:
    """Leave what is imported and collected out of later collections of garbage, which would take a tenth of a run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def forgotten(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a module's caches, compiled models of real sizes among them, end with the module's last test."""
    yield
    caches = [item for item in vars(request.module).values() if isinstance(item, _lru_cache_wrapper)]
    for cache in caches:
        cache.cache_clear()
    if caches:
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def cards_closed() -> Iterator[None]:
    """End the processes of mock cards with the last test."""
    yield
    mock_cards.close()


@pytest.fixture(scope="session")
def ttnn_python() -> str:
    """A Python with the real ttnn. Without one the test is skipped, loudly, and under CI=true it fails."""
    try:
        return ttnn_interpreter()
    except TtcError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"NOT CHECKED AGAINST THE REAL TTNN: {error}")
        pytest.skip(f"NOT CHECKED AGAINST THE REAL TTNN: {error}")
