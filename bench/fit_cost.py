"""Fit the constants of the cost model to published times and freeze them: `python -m bench.fit_cost [DIR]`.

Products are fitted by least squares of the logarithm of predicted by published; what is a sum of amounts by
non-negative least squares of the relative error, all families at once, since they share the constants of what a core
waits for. A weak pull to a prior lets few rows decide little, and a stronger one brings Wormhole's cycles, of which
there are few rows, to Blackhole's. Rows of one shape are held out together, by a hash of the shape, for the figures
printed beside those of the rows fitted to.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares, nnls

from bench.cost_model.judge import figures, lines
from bench.cost_model.predict import microseconds
from bench.cost_model.read import TIMINGS, read
from bench.cost_model.rows import Timed
from ttc.analysis.cost.constants import FILE
from ttc.analysis.cost.families import AMOUNTS, DRAM, RESOURCES, constant

Row = tuple[Timed, str]
Known = dict[str, float]

FOLDS = 5

ROUNDS = 20
"""Rounds of fitting, in each of which a row weighs less the farther off it was."""

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
    "start": 800.0,
    "stream.fill": 700.0,
    "stream.wait": 130.0,
    "stream.wait_dram": 100.0,
    "stream.far_kilobyte": 48.0,
    "stream.row_alone": 450.0,
    "kilobyte": 17.0,
    "kilobyte_within": 25.0,
    "kilobyte_in": 80.0,
    "kilobyte_out": 80.0,
    "block_kilobyte": 20.0,
    "row": 100.0,
    "row_in": 450.0,
    "row_out": 60.0,
    "row_untiled": 30.0,
    "tile_row": 400.0,
    "first_block": 1000.0,
    "slow": 1500.0,
    "row_broadcast": 1200.0,
    "column_broadcast": 800.0,
    "binary.slow": 300.0,
    "binary.number": 1000.0,
    "concat.kilobyte": 80.0,
    "to_integer": 600.0,
    "engine": 1.0,
    "block": 500.0,
    "activation": 60.0,
    "weight_kilobyte": 35.0,
    "foreign": 20.0,
    "element": 7.0,
    "key": 100.0,
    "group": 800.0,
    "tile_group": 700.0,
    "far_tile": 2000.0,
    "pool.row": 15.0,
    "piece": 400.0,
    "part": 230.0,
    "reshape.tile": 1500.0,
    "reshape.start": 10000.0,
    "reshape.copied_kilobyte": 4096.0,
    "permute.tile_in": 700.0,
    "permute.tile_out": 2000.0,
    "turned": 1200.0,
    "mixed": 2000.0,
    "norm.tile": 500.0,
    "norm.start": 3000.0,
    "softmax.tile": 1500.0,
    "softmax.start": 8000.0,
    "group_norm.start": 8000.0,
    "rotary.tile": 2000.0,
    "rotary.start": 5000.0,
    "unary.tile": 200.0,
}
"""Cycles that a constant is pulled to, by its name or by its amount; 100 where none is given."""

PULL, FAR = 0.1, 0.4
"""Weights beside a row's relative error: of the pull to the priors, and of Wormhole's to Blackhole's cycles."""

ONE_TOKEN = {"one_token.start": 1600.0, "one_token.line": 28.86, "one_token.tile": 252.0}
TURNS = "convolution.engine_in_turns"
KNOWN = {
    "wormhole_b0": ONE_TOKEN
    | {"launch.gap_us": 2.05, "dram.share": 1.48, "host.call_us": 45.0, "product.banks": 1.2, TURNS: 1.64},
    "blackhole": ONE_TOKEN
    | {"launch.gap_us": 0.55, "dram.share": 1.5, "host.call_us": 15.0, "product.banks": 1.024, TURNS: 3.0},
}
"""Constants taken as published rather than fitted: their sources stand in `SOURCES`."""

SOURCES = {
    "product": "gemm.csv, traced, and profiled products of ops.csv; least squares of log(predicted / published)",
    "sums": "ops.csv, kernel times; non-negative least squares of the relative error; Wormhole's are pulled to "
    "Blackhole's cycles; stream: what all families that move tiles or rows share",
    "launch.gap_us": "dispatch.csv: device kernel end to next start, traced: 2.05 us on n300 (CI); 0.45-0.7 us between "
    "programs of traced models on Blackhole",
    "host.call_us": "gemm.csv, not traced: the least time of a call, 45-50 us on n150, 15 us on p150",
    "dram.share": "ops.csv: 16.8 MB read and written in 86 us on wormhole_b0 (8x8), 52 MB in 154-156 us on p150, as a "
    "multiple of the time at peak",
    "product.banks": "ops.csv: weights in the banks of DRAM are read at around 240 GB/s on wormhole_b0 (llms.md), with "
    "a reader beside each bank at 500 GB/s on p150 (Saturating_DRAM_bandwidth_Blackhole.md), as a multiple of the time "
    "at peak",
    TURNS: "tt-metal's models/experimental/kokoro/perf/conv_sweep_results.md@42212a1c, p150: 18.0, 29.4, 40.9 and "
    "52.3 us for 1 to 4 passes of 320 products a core, which are 48 cycles each. Wormhole: between the 1.3 of "
    "tt-mlir's issue 7701 (853 us on 64 cores) and the 1.9 to 2.5 of the block convolutions of ops.csv whose clock is "
    "told",
    "one_token": "ops.csv: decode_batch1_perf_report.csv of a model on Blackhole: 1.931 us for heads turned on one "
    "core, four tiles, 1.306 us for heads joined, four lines a core; a line as slice.row_untiled",
    "units": "cycles of the core's clock; dram, write, stretch, fill, unpack, engine: factors; _us: microseconds",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fit_cost", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=TIMINGS)
    parser.add_argument("--freeze", action="store_true", help="write the constants into the package")
    arguments = parser.parse_args()
    rows = [row for row in read(arguments.directory).rows if row[0].clock != "eager"]
    names = names_of(rows)
    constants = fit(rows, names)
    fitted = figures((row, microseconds(row, constants)) for row, _ in rows)
    predictions: list[tuple[Timed, float]] = []
    for fold in range(FOLDS):
        without = fit([row for row in rows if _fold(row) != fold], names)
        predictions += [(row, microseconds(row, without)) for row, text in rows if _fold((row, text)) == fold]
    held_out = figures(predictions)
    for what, judged in (("fitted to", fitted), ("held out", held_out)):
        for line in sorted(lines(judged)):
            print(what, *line, sep="\t")
    if arguments.freeze:
        content = {"sources": SOURCES, "held_out": held_out, "architectures": constants}
        FILE.write_text(json.dumps(content, indent=1) + "\n")


def names_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of the constants of all sums, as the rows show them."""
    found = {name for row, _ in rows if row.work.family in AMOUNTS for name in _counted(row)}
    return sorted(found - {DRAM} - KNOWN["blackhole"].keys())


def fit(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Known]:
    """Return the constants by architecture."""
    found: dict[str, Known] = {arch: dict(known) for arch, known in KNOWN.items()}
    for arch, known in found.items():
        known |= _fit_product(
            [row for row, _ in rows if row.work.family == "product" and row.card.arch == arch], known, arch
        )
    sums = {arch: [row for row, _ in rows if row.work.family in AMOUNTS and row.card.arch == arch] for arch in found}
    general = _fit_sums(names, sums["blackhole"], {name: _usual(name) for name in names}, PULL)
    told = {name for row in sums["blackhole"] for name in _counted(row)}
    special = _fit_sums(names, sums["wormhole_b0"], general, FAR)
    found["wormhole_b0"] |= special
    found["blackhole"] |= {name: general[name] if name in told else special[name] for name in names}
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


def _fit_sums(names: Sequence[str], rows: Sequence[Timed], prior: Known, pull: float) -> Known:
    """Return the constants of all sums, each pulled to its prior.

    A row that waits for DRAM longer than for its cores tells what it takes to start alone: the time that is left.
    """
    centre = np.array([prior[name] for name in names])
    scale = np.maximum(centre, [0.2 * _usual(name) for name in names])
    counted = [_counted(row) for row in rows]
    times = np.array([row.microseconds for row in rows])
    waited = np.array([found.get(DRAM, 0.0) * 1e6 * KNOWN[row.card.arch]["dram.share"]
                       for row, found in zip(rows, counted, strict=True)]) / times  # fmt: skip
    cycles = times * np.array([row.card.clock_hz / 1e6 for row in rows])
    matrix = np.array([[found.get(name, 0.0) for name in names] for found in counted]) / cycles[:, None] * scale
    explained = np.array([_cycles_known(row, found) for row, found in zip(rows, counted, strict=True)]) / cycles
    serial = matrix * [RESOURCES.get(name.partition(".")[2]) == "start" for name in names]
    kept = (waited <= 0.9).astype(float)
    weights, shares = kept, centre / scale
    for _ in range(ROUNDS):
        by_dram = waited > (matrix - serial) @ shares + explained
        told, wanted = np.where(by_dram[:, None], serial, matrix), np.where(by_dram, 1 - waited, 1 - explained)
        system = np.vstack([told * weights[:, None], pull * np.eye(len(names))])
        shares = nnls(system, np.concatenate([weights * wanted, pull * centre / scale]))[0]
        weights = kept / np.sqrt(np.maximum(np.abs(told @ shares - wanted), 0.05))
    return {name: float(value) for name, value in zip(names, shares * scale, strict=True)}


def _cycles_known(row: Timed, counted: Mapping[str, float]) -> float:
    """Return the cycles of a row that constants taken as published explain."""
    known = KNOWN[row.card.arch]
    return sum(value * known[name] for name, value in counted.items() if name in known)


def _counted(row: Timed) -> dict[str, float]:
    """Return the amounts of a row by the names of their constants."""
    amounts = AMOUNTS[row.work.family](row.work, row.card)
    return {name if name == DRAM else constant(row.work.family, name): value for name, value in amounts.items()}


def _usual(name: str) -> float:
    return PRIOR.get(name, PRIOR.get(name.partition(".")[2], 100.0))


def _fold(row: Row) -> int:
    return int(hashlib.sha256(row[1].encode()).hexdigest(), 16) % FOLDS


if __name__ == "__main__":
    main()
