"""Tables of an accelerated model's calls, to print or to write as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any

from ttc.acceleration.records import Compared, InTorch, OpTime, Records, Time
from ttc.acceleration.standin import Standin
from ttc.commands.table import csv_text, print_table
from ttc.guard.files import as_path, write_bytes

TABLES = ("modules", "ops", "comparisons", "in_torch", "weights")
"""Seconds by module, calls of TTNN by module, agreement with torch, fallbacks and splits, bytes of weights."""


@dataclass(frozen=True)
class WeightBytes:
    """Bytes of the weights of a module's programs, where these lie now."""

    module: str
    kind: str
    programs: int
    host_bytes: int
    device_bytes: int


@dataclass(frozen=True)
class Table:
    """Rows of one kind under the names of their fields."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    @classmethod
    def of(cls, kind: type, entries: Iterable[Any]) -> Table:
        """Return a row for each entry, a dataclass of this kind."""
        names = tuple(field.name for field in fields(kind))
        return cls(names, [tuple(getattr(entry, name) for name in names) for entry in entries])

    def print(self) -> None:
        """Print the table, framed on a terminal."""
        print_table(self.columns, [[_text(cell) for cell in row] for row in self.rows])

    def write(self, path: str | PathLike[str]) -> None:
        """Write the table as CSV, whole or not at all."""
        write_bytes(as_path(path), csv_text(self.columns, self.rows).encode())


def tables(records: Records, standins: Mapping[str, Standin]) -> dict[str, Table]:
    """Return the tables of `TABLES`; modules stand in the order of their first calls."""
    weights = [
        WeightBytes(
            each.name, each.kind, len(known), sum(p.host_bytes for p in known), sum(p.device_bytes for p in known)
        )
        for each in standins.values()
        if (known := each.programs.known)
    ]
    found = (
        Table.of(Time, records.times.values()),
        Table.of(OpTime, records.ops.values()),
        Table.of(Compared, records.compared.values()),
        Table.of(InTorch, records.in_torch.values()),
        Table.of(WeightBytes, weights),
    )
    return dict(zip(TABLES, found, strict=True))


def _text(cell: Any) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
