"""`ttc inspect`: a program and its numbers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ttc.analysis.report import Report
from ttc.calls.target import TARGETS
from ttc.commands.options import MODELS, add_compilation, add_json, compilation, existing, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.errors import InputError, TtcError, printable, require
from ttc.guard.files import check_output
from ttc.ir import print_graph
from ttc.ir.lengths import size_words
from ttc.ir.state import state_name
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program


def add_arguments(parser: ArgumentParser) -> None:
    """Add an artifact or a model, and the view."""
    parser.add_argument("subject", metavar="OUT.ttc|MODEL", type=path, help="an artifact, or a model to compile now")
    add_compilation(parser)
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--after", metavar="PASS", help="the text after this pass (of a model)")
    view.add_argument("--calls", action="store_true", help="a table of the calls: sizes, bytes, predicted time")
    view.add_argument("--spills", action="store_true", help="what values outside L1 cost, beside the least possible")
    view.add_argument("--html", metavar="FILE", type=path, help="write a page with the program's graph and numbers")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Print the program's text and report, a stage's text or the table of calls, or write the page."""
    subject = existing(arguments.subject)
    if arguments.html:
        check_output(arguments.html, [subject])
    shown = _compiled(subject, arguments) if subject.suffix in MODELS else _loaded(subject, arguments)
    text, values = _view(shown, arguments)
    print_json(values) if arguments.json else print(text, end="")
    return 0


def _compiled(subject: Path, arguments: Namespace) -> Any:
    """Compile a model, whose files are not written over."""
    import ttc

    with ProgressLine("compiling") as line:
        compiled = ttc.compile(subject, **compilation(arguments), progress=line.step)
    if arguments.html:
        check_output(arguments.html, compiled.files)
    return compiled if arguments.after else compiled.executable


def _loaded(subject: Path, arguments: Namespace) -> Any:
    """Load an artifact; errors for what only a model can be asked."""
    import ttc

    if compilation(arguments):
        raise InputError(f"{subject} is compiled already: options of compilation are for a model")
    if arguments.after:
        raise TtcError("an artifact holds the last stage only: give the model to see an earlier one")
    return ttc.load(subject)


def _view(shown: Any, arguments: Namespace) -> tuple[str, dict[str, Any]]:
    """Return the view that was asked for, as text and as JSON values."""
    if arguments.after:
        text = shown.after(arguments.after)
        return text, {"stage": arguments.after, "text": text}
    report = shown.report
    if arguments.calls:
        from ttc.commands.call_table import call_table

        calls = shown.calls
        return call_table(calls, report), {"calls": [call.to_dict() for call in calls], "total": report.to_dict()}
    if arguments.spills:
        return _spills(shown.program, report)
    if arguments.html:
        from ttc.commands.page import write_page

        write_page(arguments.html, arguments.subject.name, shown.program, report)
        return printable(f"wrote {arguments.html}\n"), {"output": str(arguments.html)}
    text = print_graph(shown.program.graph, locations=True)
    padded = [bucket for bucket in shown.buckets if bucket.sizes]
    program = shown.program
    values = {"text": text, "report": report.to_dict(), "buckets": [_bucket(bucket) for bucket in padded]}
    values["state"] = [{"name": state_name(name), "type": str(type)} for name, type in program.states]
    return f"{text}{report}\n{printable(states(program) + masks(padded))}", values


def _spills(program: Program, report: Report) -> tuple[str, dict[str, Any]]:
    """Return the plan for L1 beside the least DRAM traffic and the least peak, as text and as JSON values."""
    require("--spills")
    from ttc.backend.plan.place_exactly import spills

    found = spills(program.graph, TARGETS[program.target])
    peak, live = report.peak_l1_per_core, report.max_live_l1_per_core
    text = f"{found}\nL1 per core: peak {peak:,} bytes; no plan for the values in L1 has less than {live:,}\n"
    return text, {**asdict(found), "peak_l1_per_core": peak, "max_live_l1_per_core": live}


def states(program: Program) -> str:
    """Describe each state: the model's own type, and the form on the device."""
    values = program.graph.states
    return "".join(f"state {state_name(name)}: {type} ({values[name].type})\n" for name, type in program.states)


def _bucket(bucket: Bucket) -> dict[str, Any]:
    return {"sizes": dict(bucket.sizes), "masks": list(bucket.masks)}


def masks(buckets: Sequence[Bucket]) -> str:
    """Describe the masks of each bucket, and why each is there."""
    lines = []
    for bucket in buckets:
        count = len(bucket.masks)
        lines.append(f"bucket {size_words(bucket.sizes)}: {count} mask{'' if count == 1 else 's'}")
        lines += [f"  {mask}" for mask in bucket.masks]
    return "".join(f"{line}\n" for line in lines)
