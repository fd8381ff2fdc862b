"""What tests of a pass over calls do: program text in, program text out, and then nothing more to do."""

from __future__ import annotations

from ttc.backend.pipeline import Pass
from ttc.calls.target import TARGETS
from ttc.ir import verify
from ttc.runtime.run.program import parse_program

N150 = TARGETS["n150"]


def rewrites(step: Pass, before: str, after: str) -> None:
    """Assert that `step` turns one text into the other on n150, and leaves its own result as it is."""
    found = step(verify(parse_program(before)), N150)
    assert [line.strip() for line in str(verify(found)).splitlines()] == [line.strip() for line in after.splitlines()]
    assert step(found, N150) is found
