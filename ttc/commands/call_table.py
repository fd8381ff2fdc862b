"""Table of a run's calls in plain text: a line a call, and the totals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from ttc.analysis.report import Report
from ttc.analysis.run_calls import RunCall
from ttc.errors import printable

HEAD = (
    "#",
    "name",
    "call",
    "output",
    "programs",
    "cores",
    "DRAM bytes",
    "L1 bytes",
    "L1/core",
    "us",
    "bound by",
    "from",
)
RIGHT = frozenset({"#", "programs", "cores", "DRAM bytes", "L1 bytes", "L1/core", "us"})
"""Columns of numbers, which end at one place."""


def call_table(calls: Sequence[RunCall], report: Report) -> str:
    """Print a line for each call, in order, and the totals of the report; L1 is the most in use at any call."""
    total = (
        "", "total", f"{report.calls} calls", "", f"{report.device_programs:,}", "", f"{report.dram_bytes:,}",
        f"{sum(call.cost.l1_bytes for call in calls):,}",
        f"{report.l1_with_circular_buffers:,}", _microseconds(report.predicted_seconds), "", "",
    )  # fmt: skip
    rows = [HEAD, *(_row(number, call) for number, call in enumerate(calls)), total]
    widths = [max(map(len, column)) for column in zip_longest(*rows)]
    lines = ["  ".join(map(_cell, HEAD, row, widths)).rstrip() for row in rows]
    setup = report.setup_calls
    once = [f"{setup} call{'s' if setup > 1 else ''} before the first run: not in the table"] if setup else []
    return "".join(f"{line}\n" for line in (*lines, limit_line(report), *once))


def limit_line(report: Report) -> str:
    """Return the line that compares the whole with its limit: compulsory DRAM bytes and products, both at peak."""
    if not report.limit_seconds:
        return "no limit: nothing is read, written or multiplied"
    times = report.predicted_seconds / report.limit_seconds
    least = _microseconds(report.limit_seconds)
    return f"at least {least} us by DRAM and the matrix engine at peak; predicted {times:.1f} times as much"


def _row(number: int, call: RunCall) -> tuple[str, ...]:
    cost, results = call.cost, call.node.results
    name = ", ".join(f"%{value.name}" for value in results)
    times = f" x {cost.times}" if call.loops else ""
    return (
        str(number),
        printable("".join(f"%{loop} > " for loop in call.loops) + name),
        call.node.op.mnemonic + times,
        ", ".join(str(value.type) for value in results),
        f"{cost.programs:,}",
        f"{cost.cores:,}",
        f"{cost.dram_bytes:,}",
        f"{cost.l1_bytes:,}",
        f"{call.l1_per_core:,}",
        _microseconds(cost.seconds),
        cost.bound or "-",
        " ".join(printable(call.location).split()),
    )


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}"


def _cell(head: str, text: str, width: int) -> str:
    return text.rjust(width) if head in RIGHT else text.ljust(width)
