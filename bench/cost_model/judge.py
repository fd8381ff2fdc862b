"""Errors of predictions by family and board."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import Any

from bench.cost_model.predict import microseconds
from bench.cost_model.read import Table
from bench.cost_model.rows import Timed

NEAR = 0.15
"""Relative error up to which a prediction counts as near."""


def judge(table: Table) -> dict[str, dict[str, Any]]:
    """Return the figures of all rows by the frozen constants."""
    return figures((row, microseconds(row)) for row, _ in table.rows)


def figures(predictions: Iterable[tuple[Timed, float]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each family over all boards, and of each board under `boards`."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, predicted in predictions:
        found[row.family][row.board].append(abs(predicted / row.microseconds - 1))
    return {family: _family(boards) for family, boards in sorted(found.items())}


def _family(boards: dict[str, list[float]]) -> dict[str, Any]:
    every = [error for errors in boards.values() for error in errors]
    return {**_figures(every), "boards": {board: _figures(errors) for board, errors in sorted(boards.items())}}


def _figures(errors: Sequence[float]) -> dict[str, float]:
    return {
        "rows": len(errors),
        "mean_abs_pct": round(100 * fmean(errors), 2),
        "within_15_pct": round(100 * fmean(error <= NEAR for error in errors), 2),
    }


def lines(judged: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield board, family, rows, mean error and share within 15 %, of each board and family."""
    for family, all_boards in judged.items():
        for board, of_board in all_boards["boards"].items():
            error, near = of_board["mean_abs_pct"], of_board["within_15_pct"]
            yield board, family, str(of_board["rows"]), f"{error:.1f}", f"{near:.0f}"


def table_text(judged: dict[str, dict[str, Any]], table: Table) -> str:
    """Return the figures as plain text, and the rows that are not priced by reason."""
    head = ("board", "family", "rows", "mean abs %", "within 15 %")
    rows: Iterable[tuple[str, ...]] = [head, *sorted(lines(judged))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = [" ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if table.unknown:
        text.append(f"\n{sum(table.unknown.values())} rows are not priced:")
        text += [f"{count:4} {reason}" for reason, count in table.unknown.most_common()]
    return "\n".join(text)
