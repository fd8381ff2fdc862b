"""Plans for L1 beside their bounds: all models at their tiny size, on n150."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import ttc
from bench.table import Table
from ttc import models
from ttc.backend.plan.place_exactly import spills


def tables() -> Iterator[Table]:
    """Yield peak and lower bound of L1, and DRAM bytes of values outside L1 beside the optimum, by model."""
    rows: list[tuple[str | float, ...]] = []
    for name in models.NAMES:
        model = models.named(name)
        module, inputs = model.build("tiny" if "tiny" in model.sizes else model.sizes[0])
        compiled = ttc.compile(module, kwargs=inputs)
        found, spilled = compiled.report, spills(compiled.build.program.graph, compiled.options.target)
        peak, live = found.peak_l1_per_core, found.max_live_l1_per_core
        ratio = peak / live if live else 1.0
        rows.append((name, peak, live, ratio, spilled.planned, spilled.least, str(spilled.proven)))
    at_bound = sum(row[3] == 1 for row in rows)
    total = (f"{at_bound} of {len(rows)} at the bound", "", "", fmean(float(row[3]) for row in rows),
             sum(int(row[4]) for row in rows), sum(int(row[5]) for row in rows), "")  # fmt: skip
    head = ("model", "L1 peak", "live at most", "peak / live", "bytes spilled", "least", "proven")
    yield Table("Plans against bounds, bytes of L1 per core and of DRAM", head, [*rows, total])
