"""Host cost of a call on a mock card: ttc's own Python from one TTNN call to the next, beside TTNN's own time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

import ttc
from bench.timing import Row
from ttc.models import minilm
from ttc.runtime.check.interpreter import PACKAGE, ttnn_interpreter

STEPS = 64
"""Of an LSTM of I 64, H 256."""


def rows() -> Iterator[Row]:
    module, inputs = minilm.MODEL.build()
    lstm = nn.LSTM(64, 256, bidirectional=True).eval()
    for name, compiled in (
        ("MiniLM", ttc.compile(module, kwargs=inputs)),
        (f"LSTM of {STEPS} steps", ttc.compile(lstm, (torch.randn(STEPS, 1, 64),))),
    ):
        with TemporaryDirectory() as directory:
            file = Path(directory) / "model.ttc"
            compiled.save(file)
            found = measured(file)
        calls = found.pop("calls")
        yield Row(f"host cost of each of {calls} calls of {name}, mock n150", found)


def measured(file: Path) -> dict[str, float]:
    """The probe's numbers: calls of a run, and medians of seconds per call by name, ttc's first."""
    command = [ttnn_interpreter(), "-m", "bench.host_cost_probe", str(file)]
    run = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


if __name__ == "__main__":
    for row in rows():
        print(row.what, *(f"{name} {value * 1e6:.1f} us" for name, value in row.seconds.items()), sep="; ")
