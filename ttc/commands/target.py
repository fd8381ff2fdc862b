"""`ttc target`: the cards that programs are compiled for, and the row of another one, measured."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from ttc.calls.target import TARGETS, Target, target_named
from ttc.commands.options import add_json, path
from ttc.commands.output import print_json
from ttc.commands.table import print_table
from ttc.errors import InputError, TtcError, printable
from ttc.runtime.check.measure import measure
from ttc.runtime.run.devices import no_card

COLUMNS = ("target", "what it is", "cores", "L1 per core", "DRAM", "DRAM rate", "clock")
DESCRIPTORS = (".yaml", ".yml")
"""Endings of the names of cluster descriptors."""

FOLLOWING = ("circular_buffer_end", "dram_bytes_per_second", "clock_hz")
"""Numbers of a target that its architecture and its DRAM banks decide."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add a target's name or what to measure."""
    parser.add_argument(
        "name",
        nargs="?",
        type=path,
        metavar="NAME|DESCRIPTOR",
        help=f"{', '.join(TARGETS)}, or a cluster descriptor (.yaml) to open a mock card of; all targets if not given",
    )
    parser.add_argument("--device", choices=("ttnn",), help="measure the card in this machine")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Print the row of one target as `TARGETS` in ttc/calls/target.py holds it, or a table of all."""
    if arguments.name is None and arguments.device is None:
        if arguments.json:
            print_json({"ok": True, "targets": [values(target) for target in TARGETS.values()]})
        else:
            print_table(COLUMNS, [cells(target) for target in TARGETS.values()])
        return 0
    found = asked(None if arguments.name is None else str(arguments.name), arguments.device)
    if arguments.json:
        print_json({"ok": True, **values(found)})
    else:
        print(printable(row(found)))
    return 0


def asked(name: str | None, device: str | None) -> Target:
    """Return the target that is asked for: known by name, or measured; InputError if there is none."""
    if device is not None:
        if name is not None:
            raise InputError(f"give {name} or --device {device}, not both: one card is measured at a time")
        reason = no_card()
        if reason:
            raise TtcError(reason)
        return measure(None)
    assert name is not None
    if name not in TARGETS and (Path(name).suffix in DESCRIPTORS or Path(name).exists()):
        return measure(Path(name))
    return target_named(name)


def values(target: Target) -> dict[str, Any]:
    """Return a target as JSON values: what is measured, what follows from the architecture, and the row of both."""
    return {**asdict(target), **{name: getattr(target, name) for name in FOLLOWING}, "row": row(target)}


def row(target: Target) -> str:
    """Print a target as the line of Python that makes it a row of `TARGETS`."""
    return f"Target({', '.join(map(_python, astuple(target)))}),"


def _python(field: str | int | tuple[int, ...]) -> str:
    """Print a field as the source has it: text in double quotes, numbers in groups of three digits."""
    if isinstance(field, tuple):
        return f"({', '.join(map(_python, field))})"
    return f"{field:_}" if isinstance(field, int) else f'"{field}"'


def cells(target: Target) -> tuple[str, ...]:
    """Return the cells of a target in the table of all."""
    columns, rows = target.grid
    return (
        target.name,
        target.summary,
        f"{columns} x {rows}",
        f"{target.l1_bytes:,} B",
        f"{target.dram_banks} x {target.dram_bank_bytes:,} B",
        f"{target.dram_bytes_per_second / 1e9:g} GB/s",
        f"{target.clock_hz / 1e9:g} GHz",
    )
