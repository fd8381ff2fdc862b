"""The cost model's errors on rows that were held out of the fit, as it froze them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

from bench.cost_model.judge import lines
from bench.table import Table
from ttc.analysis.cost.constants import FILE


def tables() -> Iterator[Table]:
    """Yield the errors by board and family, and all families but products of each board together."""
    held = json.loads(FILE.read_text())["held_out"]
    rows: list[tuple[str | float, ...]] = []
    others: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for board, family, count, error, near in lines(held):
        figures = int(count), float(error), float(near)
        rows.append((board, family, *figures))
        if family != "matmul":
            others[board].append(figures)
    for board, each in others.items():
        total = sum(count for count, _, _ in each)
        error, near = (sum(row[0] * row[column] for row in each) / total for column in (1, 2))
        rows.append((board, "all but matmul", total, error, near))
    head = ("board", "family", "rows", "mean error %", "within 15 %")
    yield Table("Cost model, rows held out", head, sorted(rows, key=lambda row: row[:2]))
