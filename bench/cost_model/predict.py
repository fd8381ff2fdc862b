"""Predicted microseconds of a published row, with the launch and the host that its clock takes in."""

from __future__ import annotations

from collections.abc import Mapping

from bench.cost_model.rows import Timed
from ttc.analysis.cost.constants import CONSTANTS
from ttc.analysis.cost.families import price_work

Constants = Mapping[str, Mapping[str, float]]


def microseconds(row: Timed, constants: Constants = CONSTANTS) -> float:
    """Predict a row's time: the kernel, the launch in a trace besides, or the slower of that and the host."""
    known = constants[row.card.arch]
    kernel = price_work(row.work, row.card, constants).seconds * 1e6
    if row.clock == "kernel":
        return kernel
    traced = kernel + known["launch.gap_us"]
    return traced if row.clock == "traced" else max(traced, known["host.call_us"])
