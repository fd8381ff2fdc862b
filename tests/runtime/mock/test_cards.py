"""The numbers of each target are those of its opened mock card."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict

import pytest

from ttc.calls.target import TARGETS
from ttc.runtime.check.interpreter import PACKAGE
from ttc.runtime.mock.environment import CARDS


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_s_numbers_are_those_of_its_card(target: str, ttnn_python: str):
    run = subprocess.run(
        [ttnn_python, "-m", "tests.runtime.card_numbers", str(CARDS / f"{target}.yaml")],
        cwd=PACKAGE.parent,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    stated = json.loads(json.dumps(asdict(TARGETS[target])))
    assert found == {name: stated[name] for name in found}
    assert len(found) == 5
