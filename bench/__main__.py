"""Measure every table: `python -m bench [--long] [--only NAME ...] [--directory DIR] [--write]`.

Writes DIR/bench.json and DIR/bench.md (by default build/) with the machine's name. Times are of one run of one
machine: quote the ratios, whose sides are measured in turn. `--long` adds the models of repeated blocks at full size.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from bench import (
    blocks,
    check_time,
    compile_time,
    dtype_choice,
    emulator,
    full_size,
    growth,
    host_cost,
    networks,
    plans,
    recurrence,
    steps,
)
from bench.cost_model import table as cost_model
from bench.table import Table, of_times
from bench.timing import Row

PAGE = Path(__file__).parents[1] / "docs" / "bench.md"


def _timed(title: str, rows: Callable[[], Iterator[Row]]) -> Iterator[Table]:
    yield of_times(title, list(rows()))


TABLES: Mapping[str, Callable[[], Iterator[Table]]] = {
    "cost": cost_model.tables,
    "networks": networks.tables,
    "steps": steps.tables,
    "plans": plans.tables,
    "compile": partial(_timed, "Compile time", compile_time.rows),
    "growth": growth.tables,
    "emulator": emulator.tables,
    "check": partial(_timed, "Check by the library", check_time.rows),
    "recurrence": partial(_timed, "Recurrences of more and more steps", recurrence.rows),
    "host": partial(_timed, "Host time of a run", host_cost.rows),
}
"""Sources of tables by name, in the order of the page."""

LONG: Mapping[str, Callable[[], Iterator[Table]]] = {
    "blocks": blocks.tables,
    "full_size": full_size.tables,
    "dtypes": dtype_choice.tables,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--long", action="store_true", help="full-size models of repeated blocks, too")
    parser.add_argument("--only", nargs="+", choices=[*TABLES, *LONG], help="these tables alone")
    parser.add_argument("--directory", type=Path, default=Path("build"), help="where bench.json and bench.md go")
    parser.add_argument("--write", action="store_true", help="renew these tables of docs/bench.md, too")
    options = parser.parse_args()
    names = options.only or [*TABLES, *(LONG if options.long else ())]
    found: list[Table] = []
    for name in names:
        for table in {**TABLES, **LONG}[name]():
            print(f"measured: {table.title}", file=sys.stderr)
            found.append(table)
    write(found, options.directory)
    if options.write:
        PAGE.write_text(renewed(PAGE.read_text(), (options.directory / "bench.md").read_text()))


def write(found: list[Table], directory: Path) -> None:
    """Write the tables as JSON and Markdown, with the machine's name."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {"machine": machine(), "tables": [table.to_dict() for table in found]}
    (directory / "bench.json").write_text(json.dumps(values, indent=1) + "\n")
    text = "\n".join(["# Figures", "", f"Measured on {machine()} by `make bench`.", "", *map(str, found)])
    (directory / "bench.md").write_text(text)


def renewed(page: str, measured: str) -> str:
    """Return a page of tables with those that were measured in the place of those of the same titles, new ones last."""
    _, *tables = page.split("\n## ")
    first, *others = measured.rstrip("\n").split("\n## ")
    found = {text.partition("\n")[0]: text.rstrip("\n") for text in (*tables, *others)}
    return "\n\n## ".join([first.rstrip("\n"), *found.values()]) + "\n"


def machine() -> str:
    """Return the processor's name and how many cores this process may use."""
    names = [line.partition(": ")[2] for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {len(os.sched_getaffinity(0))} cores"


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


if __name__ == "__main__":
    main()
