"""Tables of figures, as JSON values and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.timing import Row


@dataclass(frozen=True)
class Table:
    """A titled table: the heads of the columns, and rows of texts and numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON values, a row by the heads of its columns."""
        return {"title": self.title, "rows": [dict(zip(self.head, row, strict=True)) for row in self.rows]}

    def __str__(self) -> str:
        bars = "|".join("---" if isinstance(cell, str) else "---:" for cell in self.rows[0])
        lines = [self.head, *([_text(cell) for cell in row] for row in self.rows)]
        head, *rows = (f"| {' | '.join(line)} |" for line in lines)
        return "\n".join([f"## {self.title}", "", head, f"|{bars}|", *rows, ""])


def of_times(title: str, rows: Sequence[Row]) -> Table:
    """Return timed comparisons as a table: a line for each contender, ttc's time over the contender's."""
    found: list[tuple[str | float, ...]] = []
    for row in rows:
        found.append((row.what, *next(iter(row.seconds.items())), 1.0))
        found += [(row.what, name, row.seconds[name], ratio) for name, ratio in row.ratios().items()]
    return Table(title, ("what", "contender", "seconds (median)", "ttc / contender"), found)


def _text(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}"
