"""Tables: framed on a terminal where rich is installed, columns of plain text in a pipe or without it; and as CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from ttc.errors import printable

Section = Sequence[Sequence[str]]

Cell = str | int | float

FORMULA = ("=", "+", "-", "@")
"""Beginnings of a cell that a spreadsheet would compute: names and locations are the model's."""


def print_table(columns: Sequence[str], *sections: Section, title: str = "", ruled: bool = False) -> None:
    """Print rows under their columns' names, with a line between sections, or below every row if `ruled`."""
    sections = tuple([[printable(cell) for cell in row] for row in section] for section in sections)
    if find_spec("rich") is None or not sys.stdout.isatty():
        _print_plain([columns, *(row for section in sections for row in section)])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title or None, show_lines=ruled)
    for section in sections:
        for row in section:
            table.add_row(*map(Text, row))
        table.add_section()
    Console().print(table)


def _print_plain(rows: Section) -> None:
    """Print each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows under their columns' names as comma-separated values, none of which a spreadsheet would compute."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows([_plain(cell) for cell in row] for row in rows)
    return file.getvalue()


def _plain(value: Cell) -> Cell:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
