"""Sends workers over the inputs, replaces those that die or hang, and counts."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS_PER_INPUT = 120.0
"""On the wall, however busy the machine: what an input may take of the processor is the worker's affair."""
SECONDS_TO_START = 120.0
CHUNK = 3500
"""Inputs that one worker tries before it makes room for a fresh one."""


@dataclass
class Findings:
    """What came of the inputs of one kind: outcomes, faults by input number, the slowest and the largest."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)
    slowest: float = 0.0
    peak: int = 0

    def add(self, answer: dict[str, Any]) -> None:
        self.outcomes[answer["outcome"]] += 1
        self.slowest = max(self.slowest, answer["seconds"])
        self.peak = max(self.peak, answer["peak"])
        if answer["outcome"] == "fault":
            self.faults[answer["number"]] = answer["said"]


def fuzz(
    kind: str, seed: int, first: int, last: int, whole: bool, jobs: int = 1, tell: Callable[[str], None] = print
) -> Findings:
    """Try the inputs `first` to before `last` of one kind, in `jobs` processes at a time."""
    findings = Findings()
    chunks = [(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    with ThreadPoolExecutor(jobs) as pool:
        for answers in pool.map(lambda chunk: list(_answers(kind, seed, *chunk, whole)), chunks):
            for answer in answers:
                findings.add(answer)
                if answer["outcome"] == "fault":
                    tell(f"{kind} {answer['number']}: {answer['said']}")
    return findings


def _answers(kind: str, seed: int, first: int, last: int, whole: bool) -> Iterator[dict[str, Any]]:
    """An answer for each input; where a worker falls silent, the next one goes on behind that input."""
    while first < last:
        with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "errors", "w+") as errors:
            place = str(Path(folder) / "place")
            arguments = [kind, str(seed), str(first), str(last), place, "whole" if whole else "part"]
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker", *arguments],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment(),
            )  # fmt: skip
            with worker:
                for answer in _lines(worker):
                    if "number" in answer:
                        first = answer["number"] + 1
                        yield answer
                late = worker.poll() is None and first < last
                worker.kill()
            if first < last:
                errors.seek(0)
                why = f"no answer in {SECONDS_PER_INPUT:g} s" if late else f"ended with status {worker.returncode}"
                said = f"{why}: {errors.read()[-2000:]}"
                yield {"number": first, "outcome": "fault", "said": said, "seconds": 0.0, "peak": 0}
                first += 1


def _lines(worker: subprocess.Popen) -> Iterator[dict[str, Any]]:
    """What a worker says, until it ends or takes too long over an input."""
    assert worker.stdout
    pipe, heard, limit = worker.stdout.fileno(), b"", SECONDS_TO_START
    while select.select([pipe], [], [], limit)[0]:
        data = os.read(pipe, 1 << 16)
        if not data:
            worker.wait()
            return
        *lines, heard = (heard + data).split(b"\n")
        if lines:
            limit = SECONDS_PER_INPUT
        yield from map(json.loads, lines)


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
