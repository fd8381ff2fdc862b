"""`ttc check`: a program's calls put to the real ttnn library."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ttc.commands.options import add_json, artifact_file, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.errors import printable
from ttc.ir.lengths import size_words
from ttc.runtime.check import CheckReport


def add_arguments(parser: ArgumentParser) -> None:
    """Add the artifact and the card."""
    parser.add_argument("artifact", metavar="OUT.ttc", type=path)
    parser.add_argument("--target", help="the card, by default the one that the artifact was compiled for")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Check and print; return 1 if the library refused a call or returned another result than predicted."""
    import ttc
    from ttc.calls.target import target_named
    from ttc.runtime.check import check

    buckets = ttc.load(artifact_file(arguments.artifact)).buckets
    programs = [bucket.program for bucket in buckets]
    with ProgressLine("checking") as line:

        def progress(step: int, steps: int) -> None:
            line.at("the calls", step, steps)

        named = arguments.target
        reports = [check(p, target_named(p.target if named is None else named), progress) for p in programs]
    ok = all(report.ok for report in reports)
    if arguments.json:
        others = {"buckets": [report.to_dict() for report in reports]} if buckets[-1].sizes else {}
        print_json({**reports[-1].to_dict(), "ok": ok, **others})
        return 0 if ok else 1
    for bucket, report in zip(buckets, reports, strict=True):
        if bucket.sizes:
            print(printable(size_words(bucket.sizes)))
        print(printable(describe(report)))
    return 0 if ok else 1


def describe(report: CheckReport) -> str:
    """Describe a check's result in a few lines for people."""
    lines = [
        f"{report.calls} calls, {report.device_programs} device programs, {report.conversions} layout conversions",
        f"DRAM allocated {report.dram_bytes:,} B, peak L1 per core {report.peak_l1_per_core:,} B",
        f"{report.l1_buffers - report.l1_misplaced} of {report.l1_buffers} buffers in L1 where they were planned",
    ]
    if report.host_ops:
        lines.append(f"{report.host_ops} host ops, which ttnn was not asked about")
    lines += report.faults
    lines.append("accepted by ttnn" if report.ok else "NOT accepted by ttnn")
    return "\n".join(lines)
