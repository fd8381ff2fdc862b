"""Recurrences of more and more steps: compiling takes as long for all, a run as much longer as there are more steps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

import ttc
from bench.timing import Row, compare

STEPS = (64, 128, 256, 512, 1024)
"""Of one sample through both directions of I 64, H 256."""

WHY = {
    nn.LSTM: "slice, product, sum, 3 for c, 1 for h, write",
    nn.GRU: "slice, 2 products, sum, 3 for n, 1 for h, write",
    nn.RNN: "slice, product, sum, write",
}
"""What the device programs of a step are: each reads what the one before has written, or another part of it."""


def rows() -> Iterator[Row]:
    for kind, why in WHY.items():
        model = kind(64, 256, bidirectional=True).eval()
        inputs = {steps: torch.randn(steps, 1, 64) for steps in STEPS}
        compiled = {steps: ttc.compile(model, (x,)) for steps, x in inputs.items()}
        counts = [compiled[steps].report.device_programs for steps in STEPS[:2]]
        each = (counts[1] - counts[0]) / (STEPS[1] - STEPS[0])
        name = f"{kind.__name__}, {each:g} device programs a step ({why})"
        yield compare(
            f"compile {name}",
            {f"{steps} steps": partial(ttc.compile, model, (inputs[steps],)) for steps in reversed(STEPS)},
        )
        yield compare(
            f"emulate {name}",
            {f"{steps} steps": partial(compiled[steps].run, [inputs[steps].numpy()]) for steps in reversed(STEPS)},
        )
