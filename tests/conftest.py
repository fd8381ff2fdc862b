"""What tests share: the Python that has the real ttnn."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import _lru_cache_wrapper

import pytest

from ttc.errors import TtcError
from ttc.runtime.check.interpreter import ttnn_interpreter


@pytest.fixture(scope="module", autouse=True)
def forgotten(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a module's caches, compiled models of real sizes among them, end with the module's last test."""
    yield
    for item in vars(request.module).values():
        if isinstance(item, _lru_cache_wrapper):
            item.cache_clear()
    gc.collect()


@pytest.fixture(scope="session")
def ttnn_python() -> str:
    """A Python with the real ttnn. Without one the test is skipped, loudly, and under CI=true it fails."""
    try:
        return ttnn_interpreter()
    except TtcError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"NOT CHECKED AGAINST THE REAL TTNN: {error}")
        pytest.skip(f"NOT CHECKED AGAINST THE REAL TTNN: {error}")
