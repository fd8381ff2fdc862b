"""Writes what `ttc ops` says from the front ends' source and from what really happens: python -m tests.support

The operators that make an op are those whose functions spell it (`tests/spellings.py`). The calls and element types
of an op are those in the programs of its samples (`tests/samples`), in every dtype, on the first card of each
architecture. The record goes to ttc/commands/supported.json, the page to docs/ops.md.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.calls.claims import calls_in
from tests.cards import FIRST
from tests.samples import SAMPLES
from tests.spellings import spellings
from ttc import ops
from ttc.calls.layout import Deallocate, ToLayout, ToMemoryConfig, Typecast
from ttc.calls.target import TARGETS
from ttc.commands import ops as command
from ttc.commands.support import RECORD, recorded, supported
from ttc.errors import Refused
from ttc.ir import DType, Op
from ttc.pipeline import DTYPES, Build, Options, compile_graph

PAGE = Path(__file__).parents[1] / "docs" / "ops.md"
CONVERSIONS = (ToLayout, ToMemoryConfig, Typecast)
"""Calls that bring operands into the form that another call wants."""


def sampled_builds() -> Iterable[tuple[type[Op], Build]]:
    """Each sample's program, in every dtype, for the first card of each architecture, if it takes it."""
    for sample in SAMPLES:
        for target in FIRST:
            for dtype in DTYPES:
                try:
                    yield sample.kind, compile_graph(sample.graph()[0], Options(TARGETS[target], dtype))
                except Refused:
                    continue


def lowerings(builds: Iterable[tuple[type[Op], Build]]) -> dict[str, dict[str, list[str]]]:
    """The calls and the element types that the programs of each op hold, by mnemonic."""
    calls: dict[str, set[str]] = defaultdict(set)
    types: dict[str, set[DType]] = defaultdict(set)
    for kind, build in builds:
        left_out = (Deallocate,) if kind is ops.Cast else (Deallocate, *CONVERSIONS)
        mine = [call for call in calls_in(build.program.graph) if not isinstance(call, left_out)]
        calls[kind.mnemonic].update(call.mnemonic for call in mine)
        types[kind.mnemonic].update(value.dtype for call in mine for value in call.operands())
    return {
        name: {
            "calls": sorted(found),
            "dtypes": [dtype.name for dtype in DType if dtype in types[name]],
        }
        for name, found in calls.items()
    }


def listed(entries: dict[str, dict[str, list[str]]]) -> str:
    """JSON with a line for each op."""
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Record, and write the record and the page."""
    spelt, lowered = spellings(), lowerings(sampled_builds())
    entries = {name: {**spelt[name], **lowered[name]} for name in sorted(lowered)}
    RECORD.write_text(listed(entries))
    recorded.cache_clear()
    PAGE.write_text(command.page([command.row(support) for support in supported()]))


if __name__ == "__main__":
    main()
