"""The command line where stdin, stdout or stderr are closed, full, or a pipe that nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
COMMAND = "import sys; from ttc.cli import main; sys.exit(main())"
STAND_IN = """
import sys, types
import ttc.cli, ttc.commands.progress as progress

def run(parsed):
    with open('made', 'w') as made, progress.ProgressLine('working') as line:
        line.step('a step')
        print('done')
        print('for the terminal', file=sys.stderr)
        print(made.fileno() > 2 and sys.stdin.read() == '', file=made)
    return 0

progress.PATIENCE = -1.0
ttc.cli._module = lambda name: types.SimpleNamespace(run=run, add_arguments=lambda parser: None)
sys.exit(ttc.cli.main())
"""
"""The command line with commands that read, write and show their progress at once."""


def shell(line: str, tmp_path: Path, code: str = COMMAND, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which `ttc` is the command line, whose streams are buffered unless it says otherwise."""
    (tmp_path / "ttc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    (tmp_path / "ttc").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    variables = {**BUFFERED, **environment, "PATH": path}
    return subprocess.run(["bash", "-c", line], cwd=tmp_path, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("line", "status", "errors"),
    [
        ("ttc target > /dev/full", 2, "ttc: a file or the output: No space left on device\n"),
        ("ttc inspect none.ttc --json > /dev/full", 2, "ttc: cannot read none.ttc: no such file or directory\n"),
        ("ttc inspect none.ttc 2> /dev/full", 2, ""),
        ("ttc target 2> /dev/full", 0, ""),
        ("ttc target | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("ttc -h | true; exit ${PIPESTATUS[0]}", 0, ""),
    ],
)
def test_streams_that_take_no_more(line: str, status: int, errors: str, environment: dict[str, str], tmp_path: Path):
    found = shell(line, tmp_path, **environment)
    assert (found.returncode, found.stderr) == (status, errors)


@pytest.mark.parametrize(
    ("closed", "output", "errors"),
    [
        ("<&-", "done\n", "for the terminal\n"),
        ("<&- >&-", "", "for the terminal\n"),
        ("<&- 2>&-", "done\n", ""),
        ("<&- >&- 2>&-", "", ""),
    ],
)
def test_closed_streams(closed: str, output: str, errors: str, tmp_path: Path):
    found = shell(f"ttc target {closed}", tmp_path, STAND_IN)
    assert (found.returncode, found.stdout, found.stderr) == (0, output, errors)
    assert (tmp_path / "made").read_text() == "True\n"


def test_sentences_stay_out_of_the_output(tmp_path: Path):
    found = shell("ttc inspect none.ttc 2>&-", tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
