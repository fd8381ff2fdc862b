"""What calls take while they run, byte for byte, around every threshold of their formulas.

The formulas are bounds fitted to captures of the real library, which `tests/runtime/check/test_check.py` and the
samples put to it again; here stands that nothing about them changes unnoticed. `make golden` writes `workspaces.txt`
anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tests.calls.test_refusals  # noqa: F401  (which imports all calls)
from tests.ops.written import op_of
from ttc.calls.call import Call
from ttc.calls.target import TARGETS

FILE = Path(__file__).with_name("workspaces.txt")
HEAD = f"# call | circular buffers, L1 and small L1 in bytes per core on {' | on '.join(TARGETS)}"
CALLS = [line.split(" | ")[0] for line in FILE.read_text().splitlines()[1:]]


def line_of(text: str) -> str:
    call = op_of(text)
    assert isinstance(call, Call)
    call.infer()
    found = (call.workspace(target) for target in TARGETS.values())
    return " | ".join([text, *(f"{w.circular_buffers} {w.buffers} {w.l1_small}" for w in found)])


@pytest.mark.skipif("TTC_WRITE_GOLDEN" not in os.environ, reason="writes the golden file")
def test_write():
    FILE.write_text("\n".join([HEAD, *map(line_of, CALLS)]) + "\n")


def test_each_target_has_a_column():
    assert FILE.read_text().splitlines()[0] == HEAD


@pytest.mark.parametrize("number", range(len(CALLS)), ids=lambda number: CALLS[number].split("(")[0])
def test_workspaces_are_as_written(number: int):
    assert line_of(CALLS[number]) == FILE.read_text().splitlines()[1 + number]


def test_thresholds_are_on_both_sides():
    """The longest row that a norm holds whole, and one more element, for which it works in blocks."""
    norms = [line for line in FILE.read_text().splitlines() if line.startswith("ttnn.rms_norm(bf16[4,")]
    blocks = [line for line in norms if f"| {800 * 1024} 0 0 |" in line]
    width = int(blocks[0].split("[4,")[1].split("]")[0])
    assert any(f"[4,{width - 1}]" in line for line in norms if line not in blocks)
