"""docs/cost-model.md: the figures of the model by published times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.cost_model.judge import lines
from bench.cost_model.read import Table
from ttc.analysis.cost.constants import FILE

PAGE = Path(__file__).parents[2] / "docs" / "cost-model.md"

HEAD = """# Cost model

`ttc inspect --calls` and the report predict a program's time with `ttc/analysis/cost`: a formula by family of
device programs, over what the program does (tile products, tiles, rows and bytes on the core with most work), and
constants by architecture (`constants.json`, with their sources). `python -m bench.fit_cost` fits the constants to the
published times in `bench/timings`; `python -m bench.cost_model [--timings DIR] [--json [FILE]]` fits nothing and
compares predicted with published. Written by `python -m bench.cost_model --write`. Whole models beside published
rates: [Figures](bench.md).

Times are kernel durations of profiled ops; those of products in gemm.csv are per call, in a trace, or with the host
that starts each call ("not traced"). Held out: each row predicted by constants fitted without it and without all rows
of its shape, in five parts; `bench.fit_cost` prints both.

| board | family | rows | mean error % | within 15 % | held out: mean error % | within 15 % |
|---|---|---:|---:|---:|---:|---:|
"""


def page(judged: dict[str, dict[str, Any]], table: Table) -> str:
    """Return the page's text."""
    held = {line[:2]: line[3:] for line in lines(json.loads(FILE.read_text())["held_out"])}
    every = [(*line, *held.get(line[:2], ("", ""))) for line in sorted(lines(judged))]
    rows = "".join(f"| {' | '.join(line)} |\n" for line in every)
    unknown = "".join(f"- {count} x {reason}\n" for reason, count in table.unknown.most_common())
    return f"{HEAD}{rows}\nRows that are not priced, and why:\n\n{unknown}"


def write_page(judged: dict[str, dict[str, Any]], table: Table) -> None:
    """Renew the page."""
    PAGE.write_text(page(judged, table))
