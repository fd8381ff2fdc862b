"""Fit the constants of the cost model to published times and freeze them: `python -m bench.fit_cost [DIR]`.

Products are fitted by least squares of the logarithm of predicted by published; what is a sum of amounts by
non-negative least squares of the relative error, with a weak pull to a prior, so that few rows decide little. Rows of
one shape are held out together, by a hash of the shape, for the figures printed beside those of the rows fitted to.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares, lsq_linear

from bench.cost_model.judge import figures, lines
from bench.cost_model.predict import microseconds
from bench.cost_model.read import TIMINGS, read
from bench.cost_model.rows import Timed
from ttc.analysis.cost.constants import FILE
from ttc.analysis.cost.families import AMOUNTS, DRAM

Row = tuple[Timed, str]
Known = dict[str, float]

FOLDS = 5

PRODUCT: Mapping[str, tuple[float, float, float]] = {
    "unpack": (0.3, 1.0, 2.0),
    "overhead": (0.0, 1.0, 10.0),
    "page": (0.0, 40.0, 300.0),
    "byte": (0.0, 0.03, 0.3),
    "send_page": (0.0, 30.0, 300.0),
    "send_byte": (0.0, 0.03, 0.3),
    "step": (0.0, 12.0, 100.0),
    "round": (0.0, 500.0, 5000.0),
    "dram": (1.0, 1.5, 3.0),
    "write": (0.5, 2.0, 6.0),
    "fill": (0.0, 0.5, 2.0),
    "start_us": (0.5, 5.0, 9.0),
    "stretch": (1.0, 1.1, 1.4),
}
"""Least, first and largest value of each constant of products."""

PRIOR = {
    "start": 1000.0,
    "page": 100.0,
    "engine": 0.5,
    "tile": 100.0,
    "row": 200.0,
    "kilobyte": 17.0,
    "far_kilobyte": 20.0,
    "element": 5.0,
    "foreign": 20.0,
    "slow": 200.0,
    "row_alone": 450.0,
    "key": 20.0,
    "weight": 50.0,
    "row_out": 60.0,
}
"""Cycles that an amount is pulled to; 100 where none is given."""

PULL = 0.03
"""Weight of the pull beside a row's relative error."""

KNOWN = {
    "wormhole_b0": {"launch.gap_us": 2.05, "dram.share": 1.48, "host.call_us": 45.0},
    "blackhole": {"launch.gap_us": 0.55, "dram.share": 1.5, "host.call_us": 15.0},
}
"""Constants taken as published rather than fitted: their sources stand in `SOURCES`."""

SOURCES = {
    "product": "gemm.csv, traced, and profiled products of ops.csv; least squares of log(predicted / published)",
    "sums": "ops.csv, kernel times; non-negative least squares of the relative error; where Wormhole has no rows, "
    "Blackhole's cycles",
    "launch.gap_us": "dispatch.csv: device kernel end to next start, traced: 2.05 us on n300 (CI); 0.45-0.7 us between "
    "programs of traced models on Blackhole",
    "host.call_us": "gemm.csv, not traced: the least time of a call, 45-50 us on n150, 15 us on p150",
    "dram.share": "ops.csv: 16.8 MB read and written in 86 us on wormhole_b0 (8x8), 52 MB in 154-156 us on p150, as a "
    "multiple of the time at peak",
    "units": "cycles of the core's clock; dram, write, stretch, fill, unpack, engine: factors; _us: microseconds",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fit_cost", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=TIMINGS)
    parser.add_argument("--freeze", action="store_true", help="write the constants into the package")
    arguments = parser.parse_args()
    rows = [row for row in read(arguments.directory).rows if row[0].clock != "eager"]
    amounts = names_of(rows)
    constants = fit(rows, amounts)
    fitted = figures((row, microseconds(row, constants)) for row, _ in rows)
    predictions: list[tuple[Timed, float]] = []
    for fold in range(FOLDS):
        without = fit([row for row in rows if _fold(row) != fold], amounts)
        predictions += [(row, microseconds(row, without)) for row, text in rows if _fold((row, text)) == fold]
    held_out = figures(predictions)
    for what, judged in (("fitted to", fitted), ("held out", held_out)):
        for line in sorted(lines(judged)):
            print(what, *line, sep="\t")
    if arguments.freeze:
        content = {"sources": SOURCES, "held_out": held_out, "architectures": constants}
        FILE.write_text(json.dumps(content, indent=1) + "\n")


def names_of(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the names of each family's amounts, as the rows show them."""
    found: dict[str, set[str]] = {family: set() for family in AMOUNTS}
    for row, _ in rows:
        if row.work.family in found:
            found[row.work.family] |= AMOUNTS[row.work.family](row.work, row.card).keys() - {DRAM}
    return {family: sorted(names) for family, names in found.items()}


def fit(rows: Sequence[Row], amounts: Mapping[str, Sequence[str]]) -> dict[str, Known]:
    """Return the constants by architecture."""
    found: dict[str, Known] = {arch: dict(known) for arch, known in KNOWN.items()}
    for arch, known in found.items():
        known |= _fit_product(
            [row for row, _ in rows if row.work.family == "product" and row.card.arch == arch], known, arch
        )
    for family, names in amounts.items():
        by_arch = {arch: [r for r, _ in rows if r.work.family == family and r.card.arch == arch] for arch in found}
        first, second = ("blackhole", "wormhole_b0") if by_arch["blackhole"] else ("wormhole_b0", "blackhole")
        general = _fit_sum(family, names, by_arch[first], None)
        found[first] |= general
        found[second] |= _fit_sum(family, names, by_arch[second], general)
    return {
        arch: {name: float(f"{value:.4g}") for name, value in sorted(known.items())} for arch, known in found.items()
    }


def _fit_product(rows: Sequence[Timed], known: Known, arch: str) -> Known:
    names = [f"product.{name}" for name in PRODUCT]
    low, first, high = zip(*PRODUCT.values(), strict=True)

    def errors(values: np.ndarray) -> list[float]:
        trial = {arch: known | dict(zip(names, values, strict=True))}
        return [float(np.log(microseconds(row, trial) / row.microseconds)) for row in rows]

    found = least_squares(
        errors, first, bounds=(low, high), loss="soft_l1", f_scale=0.1, x_scale=np.maximum(first, 0.01)
    )
    return dict(zip(names, map(float, found.x), strict=True))


def _fit_sum(family: str, names: Sequence[str], rows: Sequence[Timed], general: Known | None) -> Known:
    """Return the constants of a family; those of the other architecture, where given, pull stronger than the prior."""
    usual = np.array([PRIOR.get(name, 100.0) for name in names])
    other = np.array([(general or {}).get(f"{family}.{name}", 0.0) for name in names])
    if not rows:
        return dict(general or {}) or {f"{family}.{name}": float(v) for name, v in zip(names, usual, strict=True)}
    prior = np.maximum(other, 0.2 * usual) if general else usual
    counted = [AMOUNTS[family](row.work, row.card) for row in rows]
    apart = [
        found.get(DRAM, 0.0) * 1e6 * KNOWN[row.card.arch]["dram.share"]
        for row, found in zip(rows, counted, strict=True)
    ]
    bound = np.array([time > 0.9 * row.microseconds for row, time in zip(rows, apart, strict=True)])
    units = np.array([1e6 / row.card.clock_hz for row in rows])[:, None]
    matrix = np.array([[found.get(name, 0.0) for name in names] for found in counted]) * units * prior
    matrix[bound] *= 0
    matrix /= np.array([row.microseconds for row in rows])[:, None]
    pull = np.full(len(names), PULL * (2 if general else 1))
    weights, shares = 1.0 - bound, np.ones(len(names))
    for _ in range(20):
        system, wanted = np.vstack([matrix * weights[:, None], np.diag(pull)]), np.concatenate([weights, pull])
        shares = lsq_linear(system, wanted, bounds=(0, np.inf), method="bvls").x
        weights = (1 - bound) / np.sqrt(np.maximum(np.abs(matrix @ shares - 1), 0.05))
    return {f"{family}.{name}": float(value) for name, value in zip(names, shares * prior, strict=True)}


def _fold(row: Row) -> int:
    return int(hashlib.sha256(row[1].encode()).hexdigest(), 16) % FOLDS


if __name__ == "__main__":
    main()
