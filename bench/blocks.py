"""Full-size models of repeated blocks, fake weights, on n150: programs and conversions a block, DRAM by compulsory."""

from __future__ import annotations

from collections.abc import Iterator

import ttc
from bench.table import Table
from ttc import models

BLOCKS = {"llama": 32, "sd3": 38, "flux": 57}
"""Blocks, or layers, of each model at its real size; FLUX.1 has 19 of two streams and 38 of one."""


def tables() -> Iterator[Table]:
    """Yield calls, programs and conversions by block."""
    rows = []
    for name, blocks in BLOCKS.items():
        module, inputs = models.named(name).build("real", fake=True)
        found = ttc.compile(module, kwargs=inputs).report
        each = [n / blocks for n in (found.calls, found.device_programs, found.layout_conversions)]
        moved = found.dram_bytes / found.minimum_dram_bytes
        rows.append((name, *each, moved, found.predicted_seconds * 1e3))
    head = ("model", "calls a block", "programs a block", "conversions a block", "DRAM / compulsory", "predicted ms")
    yield Table("Models of repeated blocks on n150, by the report", head, rows)
