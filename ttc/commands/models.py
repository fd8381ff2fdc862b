"""`ttc models`: the models that ttc carries, and a file of one to try."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ttc.commands.options import path
from ttc.commands.table import print_table
from ttc.errors import InputError, printable, require
from ttc.guard.files import check_output, writing


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model to write, if any."""
    parser.add_argument("name", nargs="?", help="write this model (seeded random weights, or its trained ones)")
    parser.add_argument("--size", default=None, help="its size, by default the published one")
    parser.add_argument("-o", "--output", type=path, help="the .pt2 file to write (default NAME.pt2)")


def run(arguments: Namespace) -> int:
    """List the models, or export one to a .pt2 file."""
    if arguments.name is None:
        if arguments.size is not None or arguments.output is not None:
            raise InputError("say which model to write: ttc models NAME (ttc models lists them)")
        print_table(("model", "what it is", "sizes", "bf16 PCC"), _rows())
        return 0
    from ttc import models

    require(f"writing {arguments.name}")
    import torch

    from ttc.frontend.export import export

    model = models.named(arguments.name)
    output = arguments.output or Path(f"{arguments.name}.pt2")
    check_output(output)
    module, inputs = model.build(model.sizes[0] if arguments.size is None else arguments.size)
    program = export(module, kwargs=inputs).program
    with writing(output) as file:
        torch.export.save(program, file)
    print(printable(f"wrote {output}"))
    return 0


def _rows() -> list[tuple[str, ...]]:
    """Return the facts of each model; for a model that needs a missing package, the installation."""
    from ttc import models

    rows: list[tuple[str, ...]] = []
    for name in models.NAMES:
        try:
            model = models.named(name)
        except models.Lacking as lacking:
            rows.append((name, f"needs {lacking.package}: {lacking.remedy}", "", ""))
        else:
            rows.append((name, model.summary, ", ".join(model.sizes), f">= {model.pcc}"))
    return rows
