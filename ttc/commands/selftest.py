"""`ttc selftest`: every kind of call and two models on the card in this machine, beside the emulator."""

from __future__ import annotations

import json
import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ttc.analysis.trace_region import region_sizes
from ttc.calls.target import TARGETS, Target, target_named
from ttc.commands.options import path
from ttc.commands.progress import ProgressLine
from ttc.commands.table import print_table
from ttc.errors import TtcError, printable, require
from ttc.guard.files import check_output, writing
from ttc.ir import Weights
from ttc.runtime.check import ttnn_interpreter
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.card import like
from ttc.runtime.run.devices import no_card, open_device
from ttc.runtime.run.program import Program
from ttc.runtime.run.session import Session
from ttc.selftest.rows import NOT_RUN, Bench, Row, Trial
from ttc.selftest.trials import Progress, chosen, on_device, on_mock, prepared
from ttc.version import VERSION, version_of

PACKAGES = ("ttnn", "torch", "numpy", "onnx")
COLUMNS = ("", "what", "PCC", "scaled error", "time", "traced", "predicted", "found")

WORDS = {
    "card": "a card, beside the emulator in mode tensix",
    "mock": "a mock card, which computes nothing: what is compared is what TTNN accepts and the specs of its results",
    "emulator": "the emulator alone: mode exact beside mode tensix",
}
"""Comparison that each kind of selftest makes."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the device, the choice of trials, and the report's file."""
    parser.add_argument(
        "--device",
        choices=("ttnn", "emulator"),
        help="default: a card, else the real library on a mock card, else the emulator",
    )
    parser.add_argument("--target", help=f"the card: {', '.join(TARGETS)} (default: the card that is there, or n150)")
    parser.add_argument("-k", dest="part", default="", metavar="NAME", help="only what has this in its name")
    parser.add_argument("-o", "--output", metavar="REPORT.json", type=path, help="write all that was found here")


def run(arguments: Namespace) -> int:
    """Try, print a table and write the report; return 1 if anything is not as it must be."""
    if arguments.output:
        check_output(arguments.output)
    target = None if arguments.target is None else target_named(arguments.target)
    kind = _kind(arguments.device)
    with ProgressLine("testing") as line:
        target, rows = _tried(kind, target, arguments.part, line.step)
    facts = {**_facts(kind, target), "ok": all(row.ok for row in rows), "rows": [row.to_dict() for row in rows]}
    if arguments.output:
        with writing(arguments.output) as file:
            file.write(json.dumps(facts, indent=1).encode() + b"\n")
    _print(kind, target, rows)
    if arguments.output:
        print(printable(f"wrote {arguments.output}"))
    return 0 if facts["ok"] else 1


def _kind(device: str | None) -> str:
    """Return what the selftest runs on: a card where there is one, else a mock card where ttnn is."""
    if device == "emulator":
        return "emulator"
    if no_card() is None:
        return "card"
    try:
        ttnn_interpreter()
    except TtcError:
        if device is None:
            return "emulator"
        raise
    return "mock"


def _tried(kind: str, target: Target | None, part: str, progress: Progress) -> tuple[Target, list[Row]]:
    """Return the target and what was found on it."""
    if kind == "card":
        require("comparing with the emulator", ("torch",))
        return _on_card(target, part, progress)
    target = target or TARGETS["n150"]
    ready = prepared(chosen(target, part), target, progress)
    if kind == "mock":
        return target, list(on_mock(ready, target, progress))
    bench = Bench(open_device("emulator", "tensix"), lambda: None, open_device("emulator", "exact"))
    return target, list(on_device(ready, bench, progress))


def _on_card(target: Target | None, part: str, progress: Progress) -> tuple[Target, list[Row]]:
    """Open the card twice: to see which one there is, and with room for the traces of what is compiled for it."""
    card: Any = open_device("ttnn", target=target.name if target else None)
    try:
        target = target or like(card.measured())
    finally:
        card.leave()
    named, ready = target, prepared(chosen(target, part), target, progress)
    sizes = [region_sizes([t.program.graph], target)[0] for t in ready if isinstance(t, Trial) and t.model]

    def opened() -> Any:
        return open_device("ttnn", target=named.name, trace_region=max(sizes, default=0))

    def traced(program: Program, weights: Weights) -> Session:
        return Session([Bucket.exact(program)], weights, opened(), region_sizes([program.graph], named))

    card = opened()
    try:
        bench = Bench(card, card.synchronize, open_device("emulator", "tensix"), traced)
        return target, list(on_device(ready, bench, progress))
    finally:
        card.leave()


def _facts(kind: str, target: Target) -> dict[str, Any]:
    """Return what a reader of the report has to know of this machine."""
    return {
        "ttc": VERSION,
        "compared": WORDS[kind],
        "target": asdict(target),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "packages": {name: version_of(name) for name in PACKAGES},
    }


def _print(kind: str, target: Target, rows: Sequence[Row]) -> None:
    print(f"on {WORDS[kind].replace('card', target.name, 1) if kind != 'emulator' else WORDS[kind]}")
    print_table(COLUMNS, [_cells(row, kind) for row in rows])
    faults = [row.name for row in rows if not row.ok]
    skipped = sum(row.note.startswith(NOT_RUN) for row in rows)
    print(f"{len(rows) - skipped} tried, {len(faults)} not as they must be{_names(faults)}; {skipped} not run")


def _names(faults: Sequence[str]) -> str:
    return f" ({', '.join(faults)})" if faults else ""


def _cells(row: Row, kind: str) -> tuple[str, ...]:
    verdict = "FAULT" if row.fault else "-" if row.note.startswith(NOT_RUN) else "ok"
    found = row.fault or row.note or ("accepted, specs as predicted" if kind == "mock" else "agrees")
    return (
        verdict,
        row.name,
        "" if row.pcc is None else f"{row.pcc:.6f}",
        "" if row.scaled_error is None else f"{row.scaled_error:.1e}",
        *("" if s is None else f"{s * 1e6:,.0f} us" for s in (row.seconds, row.traced_seconds, row.predicted_seconds)),
        found.partition("\n")[0],
    )
