"""`ttc ops`: the supported ops, from the registries and from programs that were compiled."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ttc.commands.table import print_table
from ttc.errors import require

if TYPE_CHECKING:
    from ttc.commands.support import Support

COLUMNS = ("op", "what it means", "ONNX", "aten", "TTNN", "dtypes on the card")
ELSEWHERE = "decomposed, or known when compiling"


def add_arguments(parser: ArgumentParser) -> None:
    """Add an op's name, or the form of the table."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="all that is known of one op, operator or TTNN call")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/ops.md embeds it")


def run(arguments: Namespace) -> int:
    """Print each op: its meaning's first sentence, the operators that use it, the calls that it becomes; or one."""
    require("listing the ops")
    if arguments.name is not None:
        from ttc.commands.describe import described

        print(described(arguments.name), end="")
        return 0
    from ttc.commands.support import supported

    rows = [row(support) for support in supported()]
    if arguments.markdown:
        print(page(rows), end="")
        return 0
    print_table(COLUMNS, rows, ruled=True)
    return 0


def row(support: Support) -> tuple[str, ...]:
    """Return the cells of an op."""
    meaning = (support.kind.__doc__ or "").split("\n")[0]
    calls = ", ".join(support.calls) or ELSEWHERE
    sources = ", ".join(support.onnx), ", ".join(support.aten)
    return support.kind.mnemonic, meaning, *sources, calls, ", ".join(support.dtypes)


def page(rows: list[tuple[str, ...]]) -> str:
    """Print the page docs/ops.md."""
    lines = [
        "# Supported ops",
        "",
        "By `ttc ops --markdown`: each op, the ONNX and aten operators that become it or use it, the TTNN calls in the",
        "programs of its samples (tests/samples, in every dtype for a card of each architecture) and the element",
        "types that these computed with. Calls that only convert a tensor are left out. A model's own types become",
        "these at the edges and by explicit casts.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + "---|" * len(COLUMNS),
    ]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in rows]
    return "\n".join(lines) + "\n"
