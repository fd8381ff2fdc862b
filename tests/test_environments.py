"""ttc's wheel in clean environments: see scripts/try_environments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.sweep
def test_the_wheel_works_in_clean_environments():
    done = subprocess.run([ROOT / "scripts" / "try_environments"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
