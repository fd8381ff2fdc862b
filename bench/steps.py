"""A step of an LSTM on n150: device programs, kinds of programs at two lengths, DRAM bytes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

import ttc
from bench.table import Table

SHORT, LONG = 64, 128


def tables() -> Iterator[Table]:
    """Yield the figures of a step, as the difference of two lengths, of one sample of I 256, H 256."""
    model = nn.LSTM(256, 256).eval()
    short, long = (ttc.compile(model, (torch.randn(steps, 1, 256),)) for steps in (SHORT, LONG))
    added = LONG - SHORT
    programs = (long.report.device_programs - short.report.device_programs) / added
    moved = (long.report.dram_bytes - short.report.dram_bytes) / added
    kinds = [len(found.report.calls_by_kind) for found in (short, long)]
    head = ("model", "programs a step", "DRAM bytes a step", f"kinds of calls, T={SHORT}", f"T={LONG}")
    yield Table("A step of a recurrence on n150, by the report", head, [("LSTM 256", programs, moved, *kinds)])
