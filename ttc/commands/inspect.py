"""`ttc inspect`: a program and its numbers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ttc.commands.options import MODELS, add_compilation, compilation, existing, path
from ttc.commands.progress import ProgressLine
from ttc.errors import InputError, TtcError, printable
from ttc.guard.files import check_output
from ttc.ir import print_graph
from ttc.runtime.run.buckets import Bucket, size_words


def add_arguments(parser: ArgumentParser) -> None:
    """Add an artifact or a model, and the view."""
    parser.add_argument("subject", metavar="OUT.ttc|MODEL", type=path, help="an artifact, or a model to compile now")
    add_compilation(parser)
    parser.add_argument("--after", metavar="PASS", help="the text after this pass (of a model)")
    parser.add_argument("--html", metavar="FILE", type=path, help="write a page with the program's graph and numbers")


def run(arguments: Namespace) -> int:
    """Print the program's text and report, or write the page."""
    import ttc

    subject = existing(arguments.subject)
    if arguments.html:
        check_output(arguments.html, [subject])
    if subject.suffix in MODELS:
        with ProgressLine("compiling") as line:
            compiled = ttc.compile(subject, **compilation(arguments), progress=line.step)
        if arguments.after:
            print(compiled.after(arguments.after), end="")
            return 0
        if arguments.html:
            check_output(arguments.html, compiled.files)
        shown = compiled.executable
    else:
        if arguments.lengths or arguments.allow_host:
            raise InputError(f"{subject} is compiled already: --length and --allow-host are for a model")
        if arguments.after:
            raise TtcError("an artifact holds the last stage only: give the model to see an earlier one")
        shown = ttc.load(subject)
    if arguments.html:
        from ttc.commands.page import write_page

        write_page(arguments.html, subject.name, shown.program, shown.report)
        print(printable(f"wrote {arguments.html}"))
        return 0
    print(print_graph(shown.program.graph, locations=True), end="")
    print(shown.report)
    print(printable(masks([bucket for bucket in shown.buckets if bucket.sizes])), end="")
    return 0


def masks(buckets: Sequence[Bucket]) -> str:
    """Describe the masks of each bucket, and why each is there."""
    lines = []
    for bucket in buckets:
        count = len(bucket.masks)
        lines.append(f"bucket {size_words(bucket.sizes)}: {count} mask{'' if count == 1 else 's'}")
        lines += [f"  {mask}" for mask in bucket.masks]
    return "".join(f"{line}\n" for line in lines)
