"""`python -m tests.fuzz`: the long run. Prints each fault and, in the end, a table; exits 1 if there was a fault."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.run import Findings, fuzz

COUNTS = {"onnx": 18000, "ttc": 14000, "text": 10000, "npz": 7000, "pt2": 1000}


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Feed damaged files to ttc.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the usual number of inputs")
    parser.add_argument("--only", metavar="KIND[:NUMBER]", default="", help="one kind, or one input of it")
    arguments = parser.parse_args()
    kind, _, number = arguments.only.partition(":")
    started = time.monotonic()
    findings: dict[str, Findings] = {}
    for name, count in COUNTS.items():
        if kind in ("", name):
            first, last = (int(number), int(number) + 1) if number else (0, int(count * arguments.scale))
            findings[name] = fuzz(name, arguments.seed, first, last, True, arguments.jobs, _tell)
    _table(findings, time.monotonic() - started, arguments.seed)
    return 1 if any(found.faults for found in findings.values()) else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _table(findings: dict[str, Findings], seconds: float, seed: int) -> None:
    print("| inputs | tried | compiled or loaded and run | refused in a sentence | faults | slowest | most memory |")
    print("|---|---|---|---|---|---|---|")
    for kind, found in findings.items():
        tried, outcomes = sum(found.outcomes.values()), found.outcomes
        print(
            f"| {kind} | {tried:,} | {outcomes['done']:,} | {outcomes['refused']:,} | {outcomes['fault']} "
            f"| {found.slowest:.1f} s | {found.peak / 2**20:.0f} MB |"
        )
    print(f"\nseed {seed}, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
