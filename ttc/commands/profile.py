"""Profile files: the times of a run's calls as a table (.csv), or for Perfetto and chrome://tracing (.json)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ttc.analysis.timeline import Moment
from ttc.commands.table import csv_text
from ttc.errors import InputError, printable
from ttc.guard.files import write_bytes

COLUMNS = ("call", "name", "loops", "start_us", "duration_us", "time", "device_programs", "dram_bytes", "bound", "from")


def require_profile(path: Path) -> Path:
    """Return the path of a profile; InputError unless the suffix says which kind of file it is to be."""
    if path.suffix not in (".csv", ".json"):
        raise InputError(f"{path} is no name of a profile: it ends in .csv for a table, in .json for Perfetto")
    return path


def write_profile(path: Path, moments: Sequence[Moment]) -> None:
    """Write a profile whole or not at all, in the form that the suffix says; InputError if it cannot be written."""
    text = _table(moments) if path.suffix == ".csv" else _events(moments)
    write_bytes(path, text.encode())


def _table(moments: Sequence[Moment]) -> str:
    facts = map(_facts, moments)
    return csv_text(COLUMNS, ([fact[name] for name in COLUMNS] for fact in facts))


def _events(moments: Sequence[Moment]) -> str:
    """Return the calls as complete events ("X") of one thread, in microseconds."""
    events = []
    for moment in moments:
        facts = _facts(moment)
        form = {"name": facts.pop("call"), "cat": facts["time"], "ph": "X", "pid": 0, "tid": 0}
        events.append({**form, "ts": facts.pop("start_us"), "dur": facts.pop("duration_us"), "args": facts})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, indent=0)


def _facts(moment: Moment) -> dict[str, str | int | float]:
    node = moment.node
    return {
        "call": node.op.mnemonic,
        "name": printable(" ".join(f"%{value.name}" for value in node.results)),
        "loops": printable(" ".join(f"%{name}[{turn}]" for name, turn in moment.turns)),
        "start_us": moment.start * 1e6,
        "duration_us": moment.seconds * 1e6,
        "time": "measured" if moment.measured else "predicted",
        "device_programs": moment.cost.programs,
        "dram_bytes": moment.cost.dram_bytes,
        "bound": moment.cost.bound,
        "from": printable(node.results[0].location),
    }
