"""`ttc check`: a program's calls put to the real ttnn library."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from ttc.commands.options import add_json, artifact_file, path
from ttc.commands.output import print_json
from ttc.commands.progress import ProgressLine
from ttc.errors import printable
from ttc.ir import Value
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
    from ttc.analysis.residency import depths
    from ttc.calls.target import target_named
    from ttc.runtime.check import check

    buckets = ttc.load(artifact_file(arguments.artifact)).buckets
    programs = [bucket.program for bucket in buckets]
    targets = [target_named(p.target if arguments.target is None else arguments.target) for p in programs]
    with ProgressLine("checking") as line:

        def progress(step: int, steps: int) -> None:
            line.at("the calls", step, steps)

        reports = [check(program, target, progress) for program, target in zip(programs, targets, strict=True)]
    planned = [depths(program.graph, target) for program, target in zip(programs, targets, strict=True)]
    placed = [placement(*pair) for pair in zip(reports, planned, strict=True)]
    ok = all(report.ok for report in reports)
    if arguments.json:
        found = [{**report.to_dict(), **places} for report, places in zip(reports, placed, strict=True)]
        print_json({**found[-1], "ok": ok, **({"buckets": found} if buckets[-1].sizes else {})})
        return 0 if ok else 1
    for bucket, report, places in zip(buckets, reports, placed, strict=True):
        if bucket.sizes:
            print(printable(size_words(bucket.sizes)))
        print(printable(describe(report, places)))
    return 0 if ok else 1


def placement(report: CheckReport, planned: Mapping[Value, int]) -> dict[str, int]:
    """Count the buffers in L1 that a check met, and those that are not at the planned bytes below the end of L1."""
    found = report.l1_depths
    met = [(found[value.name], depth) for value, depth in planned.items() if value.name in found]
    return {"l1_buffers": len(met), "l1_misplaced": sum(real != depth for real, depth in met)}


def describe(report: CheckReport, places: Mapping[str, int]) -> str:
    """Describe a check's result, and where L1's buffers lie, in a few lines for people."""
    buffers, misplaced = places["l1_buffers"], places["l1_misplaced"]
    lines = [
        f"{report.calls} calls, {report.device_programs} device programs, {report.conversions} layout conversions",
        f"DRAM allocated {report.dram_bytes:,} B, peak L1 per core {report.peak_l1_per_core:,} B",
        f"{buffers - misplaced} of {buffers} buffers in L1 where they were planned",
    ]
    if report.host_ops:
        lines.append(f"{report.host_ops} host ops, which ttnn was not asked about")
    lines += report.faults
    lines.append("accepted by ttnn" if report.ok else "NOT accepted by ttnn")
    return "\n".join(lines)
