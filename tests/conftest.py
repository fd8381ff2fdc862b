"""What tests share: the Python that has the real ttnn."""

from __future__ import annotations

import os

import pytest

from ttc.errors import TtcError
from ttc.runtime.check.interpreter import ttnn_interpreter


@pytest.fixture(scope="session")
def ttnn_python() -> str:
    """A Python with the real ttnn. Without one the test is skipped, loudly, and under CI=true it fails."""
    try:
        return ttnn_interpreter()
    except TtcError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"NOT CHECKED AGAINST THE REAL TTNN: {error}")
        pytest.skip(f"NOT CHECKED AGAINST THE REAL TTNN: {error}")
