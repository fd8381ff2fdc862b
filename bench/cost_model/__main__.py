"""Judge the cost model by published times: `python -m bench.cost_model [--timings DIR] [--json [FILE]] [--write]`.

Fits nothing. For each board and family of ops: the rows, the mean absolute error, and the share within 15 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.cost_model.judge import judge, table_text
from bench.cost_model.page import write_page
from bench.cost_model.read import TIMINGS, read
from ttc.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cost_model", description=__doc__)
    parser.add_argument("--timings", metavar="DIR", type=Path, default=TIMINGS, help="tables, by default the project's")
    parser.add_argument("--json", metavar="FILE", nargs="?", const="-", help="JSON, to a file or to standard output")
    parser.add_argument("--write", action="store_true", help="renew docs/cost-model.md")
    options = parser.parse_args(arguments)
    try:
        read_rows = read(options.timings)
        if not read_rows.rows:
            raise InputError(f"{options.timings} holds no row that the model prices")
        judged = judge(read_rows)
        if options.json and options.json != "-":
            _write(Path(options.json), judged)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(judged, indent=1) if options.json == "-" else table_text(judged, read_rows), end="\n")
    if options.write:
        write_page(judged, read_rows)
    return 0


def _write(file: Path, judged: object) -> None:
    try:
        file.write_text(json.dumps(judged, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
