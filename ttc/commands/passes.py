"""`ttc passes`: the passes in their order."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.table import Table


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments."""


def run(arguments: Namespace) -> int:
    """Print each pass and the first sentence of its docstring."""
    from ttc import backend, passes

    table = Table("pass", "what it does", title="a model goes through these, top to bottom")
    table.add_row("padding", "Masks, where a program for several lengths needs them: no result depends on padding.")
    _add(table, passes.PIPELINE)
    table.add_section()
    table.add_row("lower", "Lower every op to TTNN calls, or refuse with every reason.")
    table.add_section()
    _add(table, backend.PIPELINE)
    Console().print(table)
    return 0


def _add(table: Table, steps: Iterable[Callable]) -> None:
    for step in steps:
        table.add_row(step.__name__, (step.__doc__ or "").strip().split("\n")[0])
