"""Probes: modules of tests that run where the real ttnn is, and print what they find as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from ttc.runtime.check.interpreter import PACKAGE


def probed(python: str, module: str, *arguments: str) -> Any:
    """What a probe prints; its errors fail the test."""
    run = subprocess.run(
        [python, "-m", f"tests.runtime.{module}", *arguments],
        cwd=PACKAGE.parent,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
