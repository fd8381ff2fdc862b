"""`ttc passes`: the passes in their order."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable

from ttc.commands.table import print_table
from ttc.errors import require


def add_arguments(parser: ArgumentParser) -> None:
    """Add no arguments."""


def run(arguments: Namespace) -> int:
    """Print each pass and the first sentence of its docstring."""
    require("listing the passes")
    from ttc import backend, passes

    padding = ("padding", "Masks, where a program for several lengths needs them: no result depends on padding.")
    lower = ("lower", "Lower every op to TTNN calls, or refuse with every reason.")
    sections = ([padding, *_rows(passes.PIPELINE)], [lower], _rows(backend.PIPELINE))
    print_table(("pass", "what it does"), *sections, title="a model goes through these, top to bottom")
    return 0


def _rows(steps: Iterable[Callable]) -> list[tuple[str, str]]:
    return [(step.__name__, (step.__doc__ or "").strip().split("\n")[0]) for step in steps]
