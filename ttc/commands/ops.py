"""`ttc ops`: what each op becomes, from the registries."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from rich.console import Console
from rich.table import Table


def add_arguments(parser: ArgumentParser) -> None:
    """No arguments."""


def run(arguments: Namespace) -> int:
    """Print each op, its meaning's first sentence, and where it is lowered."""
    from ttc import backend, ops
    from ttc.ir import Op

    assert ops.__name__ == "ttc.ops"
    table = Table("op", "what it means", "lowered by")
    kinds = sorted((k for k in Op.registry.values() if k.__module__.startswith("ttc.ops")), key=lambda k: k.mnemonic)
    for kind in kinds:
        rule = backend.RULES.get(kind)
        where = (
            f"{rule.__module__.removeprefix('ttc.')}.{rule.__name__}" if rule else "decomposed, or known when compiling"
        )
        table.add_row(kind.mnemonic, (kind.__doc__ or "").split("\n")[0], where)
    Console().print(table)
    return 0
