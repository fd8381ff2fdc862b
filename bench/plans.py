"""Plans for L1 beside their bounds and the real allocator: all models at their tiny size, on n150."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import ttc
from bench.table import Table
from ttc import models
from ttc.analysis.report import report
from ttc.analysis.residency import depths
from ttc.backend.plan.holes.calls import Calls
from ttc.backend.plan.holes.proof import is_least
from ttc.backend.plan.place_exactly import spills
from ttc.calls.target import TARGETS
from ttc.commands.check import placement
from ttc.ir import print_graph
from ttc.runtime.check import check_many
from ttc.runtime.run.program import Program


def tables() -> Iterator[Table]:
    """Yield peak and lower bound of L1, spilled bytes beside the optimum, and buffers not where planned, by model.

    The bound is what lives at most in the order of the program's calls; or the peak, where a search through all orders
    and all times of deallocation shows that none takes less.
    """
    target = TARGETS["n150"]
    programs = {name: _program(name) for name in models.NAMES}
    checks = check_many([print_graph(program.graph) for program in programs.values()], target)
    rows: list[tuple[str | float, ...]] = []
    for (name, program), checked in zip(programs.items(), checks, strict=True):
        found, spilled = report(program.graph, target), spills(program.graph, target)
        peak, live = found.peak_l1_per_core, found.max_live_l1_per_core
        assert checked.ok, (name, checked.faults)
        places = placement(checked, depths(program.graph, target))
        least = peak if peak > live and is_least(Calls(program.graph, target), peak) else live
        ratio = peak / least if least else 1.0
        rows.append(
            (name, peak, live, least, ratio, spilled.planned, spilled.least, str(spilled.proven), *places.values())
        )
    at_bound = sum(row[4] == 1 for row in rows)
    sums = [sum(int(row[column]) for row in rows) for column in (5, 6, 8, 9)]
    total = (f"{at_bound} of {len(rows)} at the bound", "", "", "", fmean(float(row[4]) for row in rows),
             *sums[:2], "", *sums[2:])  # fmt: skip
    head = ("model", "L1 peak", "live at most", "bound", "peak / bound", "bytes spilled", "least", "proven",
            "buffers", "elsewhere")  # fmt: skip
    yield Table("Plans against bounds, bytes of L1 per core and of DRAM", head, [*rows, total])


def _program(name: str) -> Program:
    """Compile a model of the zoo at its tiny size, or the smallest that it has."""
    model = models.named(name)
    module, inputs = model.build(model.smallest)
    return ttc.compile(module, kwargs=inputs).build.program
