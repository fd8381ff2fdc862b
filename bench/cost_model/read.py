"""Reading the tables of a directory: timed rows, and the rows that the model does not price with the reasons."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.cost_model import gemm, ops
from bench.cost_model.rows import Timed
from bench.cost_model.shapes import UnknownRow
from ttc.analysis.cost.families import AMOUNTS, DRAM
from ttc.errors import InputError

TIMINGS = Path(__file__).parents[1] / "timings"
"""The published tables that the constants were fitted to."""

READERS: Mapping[str, Callable[[Mapping[str, str]], Timed]] = {"gemm.csv": gemm.timed, "ops.csv": ops.timed}
"""Readers of a row, by the file's name."""

COLUMNS = {
    "gemm.csv": frozenset(
        {
            "board",
            "grid",
            "m",
            "k",
            "n",
            "dtype_in",
            "dtype_weights",
            "fidelity",
            "fp32_acc",
            "in0_memory",
            "in1_memory",
            "out_memory",
            "traced",
            "tuned",
            "microseconds",
        }
    ),
    "ops.csv": frozenset(
        {
            "board",
            "op",
            "shapes",
            "dtype",
            "memory",
            "cores",
            "fidelity",
            "microseconds",
            "measured",
            "note",
            "fp32_acc",
        }
    ),
}
"""Columns that a table must have; others may be there."""


@dataclass
class Table:
    """What was read: timed rows, each with the text that its shapes were told in, and the others by reason."""

    rows: list[tuple[Timed, str]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)


def read(directory: Path) -> Table:
    """Read gemm.csv and ops.csv of a directory; InputError with a sentence for what is no such table."""
    if not directory.is_dir():
        raise InputError(f"{directory} is not a directory")
    files = [directory / name for name in READERS if (directory / name).is_file()]
    if not files:
        raise InputError(f"{directory} holds neither {' nor '.join(READERS)}")
    table = Table()
    for file in files:
        _read_file(file, table)
    return table


def _read_file(file: Path, table: Table) -> None:
    for number, row in enumerate(_rows(file), start=2):
        if None in row or None in row.values():
            raise InputError(f"{file} line {number} has not as many fields as the head of the table")
        try:
            found = _possible(READERS[file.name](row))
        except UnknownRow as unknown:
            table.unknown[f"{file.name}: {unknown}"] += 1
        else:
            table.rows.append((found, _told(row)))


def _possible(row: Timed) -> Timed:
    """Return a row; UnknownRow where DRAM cannot move its bytes in its time: shapes and time are not of one op."""
    amounts = AMOUNTS[row.work.family](row.work, row.card) if row.work.family in AMOUNTS else {}
    if amounts.get(DRAM, 0.0) * 1e6 > row.microseconds:
        raise UnknownRow("DRAM does not move the bytes told in the time told")
    return row


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = COLUMNS[file.name] - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{file} lacks the columns {', '.join(sorted(missing))}")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as a table: {error}") from None


def _told(row: Mapping[str, str]) -> str:
    """Return what rows of one shape have in common: they are held out together."""
    return row.get("shapes") or "x".join(row[side] for side in ("m", "k", "n"))
