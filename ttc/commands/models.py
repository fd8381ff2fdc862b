"""`ttc models`: the models that ttc carries, and a file of one to try."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.table import Table


def add_arguments(parser: ArgumentParser) -> None:
    """Which model to write, if any."""
    parser.add_argument("name", nargs="?", help="write this model (seeded random weights, or its trained ones)")
    parser.add_argument("--size", default=None, help="its size, by default the published one")
    parser.add_argument("-o", "--output", type=Path, help="the .pt2 file to write (default NAME.pt2)")


def run(arguments: Namespace) -> int:
    """List the models, or export one to a .pt2 file."""
    from ttc import models

    if arguments.name is None:
        _list()
        return 0
    import torch

    from ttc.frontend.export import export

    model = models.named(arguments.name)
    module, inputs = model.build(arguments.size or model.sizes[0])
    path = arguments.output or Path(f"{arguments.name}.pt2")
    torch.export.save(export(module, kwargs=inputs).program, path)
    print(f"wrote {path}")
    return 0


def _list() -> None:
    from ttc import models

    table = Table("model", "what it is", "sizes", "bf16 PCC")
    for name in models.NAMES:
        model = models.named(name)
        table.add_row(name, model.summary, ", ".join(model.sizes), f">= {model.pcc}")
    Console().print(table)
