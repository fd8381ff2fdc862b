"""Full-size models of repeated blocks, fake weights, on n150: programs a block, conversions inside, DRAM traffic."""

from __future__ import annotations

from collections.abc import Iterator

import ttc
from bench.networks import LAYER
from bench.table import Table
from ttc import models
from ttc.compiled.compiled import Compiled

BLOCKS = {"llama": 32, "sd3": 38, "flux": 57}
"""Blocks, or layers, of each model at its real size; FLUX.1 has 19 of two streams and 38 of one."""

INSIDE = "conversions inside a block"
"""Head of the column of `conversions_inside`, by block."""


def tables() -> Iterator[Table]:
    """Yield calls, programs and conversions by block."""
    rows = []
    for name, blocks in BLOCKS.items():
        module, inputs = models.named(name).build("real", fake=True)
        compiled = ttc.compile(module, kwargs=inputs)
        found = compiled.report
        each = found.calls / blocks, found.device_programs / blocks, conversions_inside(compiled) / blocks
        moved = found.dram_bytes / found.minimum_dram_bytes
        rows.append((name, *each, moved, found.predicted_seconds * 1e3))
    head = ("model", "calls a block", "programs a block", INSIDE, "DRAM / compulsory", "predicted ms")
    yield Table("Models of repeated blocks on n150, by the report", head, rows)


def conversions_inside(compiled: Compiled) -> int:
    """Count the layout conversions of the calls that stand inside blocks."""
    calls = compiled.executable.calls
    return sum(call.cost.dispatch.conversions for call in calls if LAYER.search(call.location))
