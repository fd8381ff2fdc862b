"""`python -m tests.mutants`: a seeded sample of mutants against their narrow tests; exits 1 if too many survive."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.mutants.mutations import Mutant, sample
from tests.mutants.page import WANTED, Result, killed, share, write_page
from tests.mutants.run import Copy, Outcome, is_sound, preload, try_mutant

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.mutants", description="Change ttc and see whether tests notice.")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="mutate only files whose path begins so")
    parser.add_argument("--line", type=int, default=0, help="mutate only this line")
    parser.add_argument("--known", type=Path, help="a file of what an earlier run found, to begin with and to add to")
    parser.add_argument("--write", action="store_true", help="write docs/mutants.md")
    arguments = parser.parse_args()
    mutants = sample(ROOT, arguments.count, arguments.seed, arguments.only)
    if arguments.line:
        mutants = [mutant for mutant in mutants if mutant.place[0] == arguments.line]
    shares = [mutants[first :: arguments.jobs] for first in range(arguments.jobs)]
    results: list[Result] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for part in pool.map(_try_all, shares, [Known(arguments.known)] * arguments.jobs):
            results += part
    results.sort(key=lambda result: (result.mutant.path, result.mutant.place))
    for result in results:
        if not result.outcome.failed:
            print(f"survived: {result.mutant}\n    - {result.diff[0]}\n    + {result.diff[1]}\n")
    print(f"{killed(results)} of {len(results)} noticed")
    if arguments.write:
        write_page(ROOT / "docs/mutants.md", results, arguments.seed)
    return 0 if share(results) >= WANTED else 1


class Known:
    """Which test noticed a mutant in earlier runs, a line for each: it is asked first. No file: nothing is known."""

    def __init__(self, path: Path | None):
        self.path = path

    def test(self, change: str) -> str:
        """The test that noticed a change last, or ""."""
        lines = self.path.read_text().splitlines() if self.path and self.path.exists() else []
        found = [line.partition("\t")[2] for line in lines if line.startswith(f"{self._key(change)}\t")]
        return found[-1] if found else ""

    def add(self, change: str, test: str) -> None:
        """Note it."""
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(f"{self._key(change)}\t{test}\n")

    def _key(self, change: str) -> str:
        return hashlib.sha256(change.encode()).hexdigest()[:16]


def _try_all(mutants: Iterable[Mutant], known: Known) -> list[Result]:
    """The results of some mutants; a test counts only if it passes without the mutant."""
    preload()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as place:
        copy = Copy(ROOT, Path(place))
        sound: dict[str, bool] = {}
        for mutant in mutants:
            diff = mutant.diff(copy.read(mutant.path))
            change = "\n".join((mutant.path, *diff))
            outcome = try_mutant(mutant, copy, known.test(change))
            test = outcome.failed
            key = test if "::" in test else f"{mutant.path}: {test}"
            if test and key not in sound:
                sound[key] = is_sound(mutant, test, copy)
            if not sound.get(key, True):
                print(f"{mutant}: without the mutant it is so, too: {test}", file=sys.stderr, flush=True)
                outcome = Outcome("", outcome.seconds)
            known.add(change, outcome.failed)
            print(f"{outcome.seconds:5.1f} s  {mutant}  {outcome.failed or 'SURVIVED'}", file=sys.stderr, flush=True)
            results.append(Result(mutant, outcome, diff))
    return results


if __name__ == "__main__":
    sys.exit(main())
