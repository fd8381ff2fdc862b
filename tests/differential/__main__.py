"""Random programs against torch and onnxruntime: `python -m tests.differential --count 2000 --seed 1 --only torch`.

Prints each program that is wrong, or ends in an exception that is no TtcError, as small as it still is; then counts.
`--only torch:17` tries one again. Exit status 1 if there was any.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from tests.differential.outcome import Outcome
from tests.differential.sources import SOURCES, Found

SHARE = {"torch": 3, "onnx": 5, "buckets": 1}
"""Of nine programs."""


def main() -> int:
    """Try the programs asked for, print what is wrong."""
    options = parsed()
    print(f"seed {options.seed}: again with --seed {options.seed} --only KIND:NUMBER", flush=True)
    counts, reasons, tight = Counter(), Counter(), []
    for name in (options.only.partition(":")[0],) if options.only else SOURCES:
        for found in wanted(options, name):
            for dtype, outcome in found.outcomes.items():
                counts[name, dtype, outcome.kind] += 1
                note(outcome, reasons, tight)
                if outcome.fault:
                    print(
                        f"\n{name}:{found.number} {dtype} {outcome.kind}: {outcome.words}\n{found.smallest(dtype)}",
                        flush=True,
                    )
    report(counts, reasons, tight, options.reasons)
    return int(any(kind in ("wrong", "raw") for _, _, kind in counts))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="programs in all")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10**6)
    parser.add_argument("--only", default="", help="torch, onnx or buckets; with :NUMBER one program")
    parser.add_argument("--reasons", type=int, default=0, help="print so many reasons of refusals")
    return parser.parse_args()


def wanted(options: argparse.Namespace, name: str) -> Iterator[Found]:
    """The programs of a kind, tried."""
    number = options.only.partition(":")[2]
    if number:
        return SOURCES[name](options.seed, int(number), 1)
    share = 1 if options.only else SHARE[name] / sum(SHARE.values())
    return SOURCES[name](options.seed, 0, max(1, round(options.count * share)))


def note(outcome: Outcome, reasons: Counter, tight: list[float]) -> None:
    if outcome.kind == "refused":
        reasons[outcome.words[:100]] += 1
    if outcome.kind == "right":
        tight.append(outcome.tight)


def report(counts: Counter, reasons: Counter, tight: list[float], most: int) -> None:
    for (name, dtype, kind), count in sorted(counts.items()):
        print(f"{name:8} {dtype}  {kind:10} {count}")
    if tight:
        print(f"{sum(tight) / len(tight):.0%} of the elements were held to the tolerance alone")
    for reason, count in islice(iter(reasons.most_common()), most):
        print(f"{count:5}  {reason}")


if __name__ == "__main__":
    sys.exit(main())
