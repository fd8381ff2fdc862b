"""`check` and `check_many` as in `ttc.runtime.check`, by processes that stay open: opening a card takes a second.

A call like one that any test has made before is not traced again. ttnn logs each of its warnings once in a process:
tests that expect one take a process of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ttc.calls.target import Target, target_named
from ttc.compiled.chain import Chain
from ttc.ir import print_graph
from ttc.runtime.check import CheckReport, Worker
from ttc.runtime.run.program import Program

_OPEN: dict[Target, Worker] = {}
"""Processes by card."""


def check(program: Program, target: Target | None = None) -> CheckReport:
    """Check a program on a mock card, by default of its own target."""
    return check_many([print_graph(program.graph)], target or target_named(program.target))[0]


def check_many(texts: Sequence[str], target: Target) -> list[CheckReport]:
    """Check programs given as text; one that crashes the process is reported, and the rest go on in another."""
    return [_worker(target).check(text, lambda step, steps: None) for text in texts]


def assert_accepted(chain: Chain) -> None:
    """Assert that the real library takes each program of a chain, in every bucket, and that the host does no op."""
    for name, executable in chain.stages.items():
        for bucket in executable.buckets:
            report = check(bucket.program)
            assert report.ok, (name, bucket.sizes, report)
            assert "host.run" not in str(bucket.program.graph)


def close() -> None:
    """End all processes."""
    while _OPEN:
        _OPEN.popitem()[1].__exit__(None, None, None)


def _worker(target: Target) -> Worker:
    """Return the card's process; a new one after a crash."""
    if target in _OPEN and not _OPEN[target].alive:
        _OPEN.pop(target).__exit__(None, None, None)
    if target not in _OPEN:
        _OPEN[target] = Worker(target)
    return _OPEN[target]
