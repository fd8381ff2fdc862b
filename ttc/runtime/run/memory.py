"""The memory that a program needs, compared with the machine's before any is allocated: systems may overcommit."""

from __future__ import annotations

import resource
from pathlib import Path

from ttc.errors import TtcError
from ttc.ir import Const
from ttc.runtime.run.convert import user_dtype
from ttc.runtime.run.program import Program

EMULATED_BYTES = 2
"""Bytes of an emulated element at least."""


def available_bytes() -> int:
    """Return the bytes that this process may still allocate, of the machine's memory or of its own address space."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    limit = limit if limit != resource.RLIM_INFINITY else 1 << 62
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            return min(limit, int(line.split()[1]) << 10)
    return limit


def require_memory(program: Program, emulated: bool) -> None:
    """Require room for a run's inputs and outputs and, if emulated, its largest value; TtcError if there is none."""
    sides = (*program.inputs, *program.outputs)
    needed = sum(type.numel * user_dtype(type).itemsize for _, type in sides)
    if emulated:
        computed = (v for node in program.graph.nodes if not isinstance(node.op, Const) for v in node.results)
        needed += max((value.type.numel for value in computed), default=0) * EMULATED_BYTES
    free = available_bytes()
    if needed > free:
        raise TtcError(f"running the program needs more memory than this machine gives: {needed:,} of {free:,} bytes")
