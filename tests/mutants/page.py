"""The page of mutants: how many tests notice, and why the others are left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutations import Mutant
from tests.mutants.reasons import EQUIVALENT
from tests.mutants.run import Outcome

WANTED = 0.9
"""The share of mutants that tests must notice, those left out that change nothing."""


@dataclass(frozen=True)
class Result:
    """A mutant, what the tests said, and the lines taken out and put in."""

    mutant: Mutant
    outcome: Outcome
    diff: tuple[str, str]

    @property
    def reason(self) -> str:
        """Why it changes nothing; "" if it does."""
        return EQUIVALENT.get((self.mutant.path, *self.diff), "")


def killed(results: list[Result]) -> int:
    """How many were noticed."""
    return sum(bool(result.outcome.failed) for result in results)


def share(results: list[Result]) -> float:
    """The share noticed of those that change anything."""
    equivalent = sum(bool(result.reason) and not result.outcome.failed for result in results)
    return killed(results) / max(len(results) - equivalent, 1)


def write_page(path: Path, results: list[Result], seed: int) -> None:
    """Write the page of one run."""
    left = [result for result in results if not result.outcome.failed]
    equivalent, open_ones = [r for r in left if r.reason], [r for r in left if not r.reason]
    lines = [
        *INTRODUCTION,
        f"Seed {seed}: {len(results)} mutants, {killed(results)} noticed, {len(equivalent)} that change nothing,",
        f"{len(open_ones)} that no narrow test notices; {share(results):.1%} of those that change anything.",
        "",
        "## Not noticed",
        "",
        *(_entry(result, "a test is missing") for result in open_ones),
        *([] if open_ones else ["None.", ""]),
        "## Nothing to notice",
        "",
        *(_entry(result, result.reason) for result in equivalent),
    ]
    path.write_text("\n".join(lines).rstrip() + "\n")


def _entry(result: Result, reason: str) -> str:
    old, new = result.diff
    return (
        f"- `{result.mutant.path}`, line {result.mutant.place[0]}: {reason}\n\n  ```diff\n  - {old}\n  + {new}\n  ```\n"
    )


INTRODUCTION = """\
# Mutants

`make mutants` changes the source a little, in one place at a time, and runs the tests that mirror the changed file:
one of them must fail. The changes are those of [cosmic-ray](https://cosmic-ray.readthedocs.io) that stay close to
what is written: a comparison, an operator, a number one higher or lower, `and` for `or`, a condition negated, a loop
that does nothing, a decorator or an exception gone. Annotations are left alone, for nothing evaluates them. The sample
is drawn by its seed over `ttc/passes`, `ttc/ops`, `ttc/analysis`, `ttc/backend`, `ttc/calls`, `ttc/runtime` and
`ttc/frontend`; `python -m tests.mutants --seed 7 --count 300` draws another, and `--only ttc/passes/fuse/fuse_norm.py`
mutates one file.

Which tests are narrow stands in `tests/mutants/narrow.py`: the mirrors of a file, and the samples of its family of ops.
A test counts as having noticed only if it passes without the change. Mutants that change nothing that can be seen are
listed with the reason (`tests/mutants/reasons.py`).

""".splitlines()
