"""Print every comparison as a table, or as JSON with `--json`."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

from bench import check_time, compile_time, emulator, host_cost, recurrence


def main() -> None:
    """Run all benches; a row appears when it is measured."""
    rows = []
    for bench in (compile_time, emulator, check_time, recurrence, host_cost):
        for row in bench.rows():
            print(f"measured: {row.what}", file=sys.stderr)
            rows.append(row)
    if "--json" in sys.argv:
        print(json.dumps([{"what": row.what, "seconds": dict(row.seconds), "ratios": row.ratios()} for row in rows]))
        return
    table = Table("what", "seconds (median)", "ttc / other", title="times of one run of this machine; quote the ratios")
    for row in rows:
        seconds = "\n".join(f"{name} {value:.3g}" for name, value in row.seconds.items())
        ratios = "\n".join(["", *(f"{value:.2f}" for value in row.ratios().values())])
        table.add_row(row.what, seconds, ratios, end_section=True)
    Console().print(table)


if __name__ == "__main__":
    main()
