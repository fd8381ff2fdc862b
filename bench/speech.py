"""Systems of speech at their real sizes, from text or recordings to samples, against the packages' own modules.

    python -m bench.speech [--only NAME ...] [--inputs N] [--write]

Steps of generation are run in the emulator once, and priced once and multiplied. `--write` renews the rows of
docs/speech.md of the systems measured. The exit status is 1 if a card takes a program not as predicted, or a system
misses its accuracy.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.speech_beside import LEAST, Beside, beside, counted
from bench.speech_inputs import inputs_of
from bench.speech_programs import SYSTEMS, Programs
from ttc.analysis.run_calls import run_calls
from ttc.calls.target import TARGETS
from ttc.compiled.chain_session import StageRun
from ttc.errors import InputError
from ttc.ir.lengths import size_words
from ttc.runtime.check import check_many
from ttc.validation.accuracy import pcc
from ttc.validation.system import exact_transforms, spectrogram_pcc

PAGE = Path(__file__).parents[1] / "docs" / "speech.md"
IN_STEPS = ("bark", "speecht5")
"""The systems that generate by steps, each of which is compared after the package's own steps before it."""

HEAD = """# Speech

Systems at their published sizes, with random weights of seed 0, in the two smallest buckets of each length: from the
inputs of `bench/speech_inputs.py` to samples. Compared is with the package's own modules at the true lengths, by the
emulator: the correlation (PCC) of the samples and of their logarithmic spectrograms, and for how many inputs all whole
numbers (durations) are equal. "itself" is the package beside the package with Fourier transforms in float64: where a
spectrum is real, as that of a mirrored edge is, rounding decides between the phases of pi and -pi. "exact" are the
spectrograms beside the latter. Written by `python -m bench.speech --write`.

Systems that generate by steps are compared stage by stage, in all runs of one speech, each after the package's own
tokens and values before it: the least correlation of what the runs leave (logits, a step's frames, samples), and how
many whole numbers (chosen tokens, codes) are equal. Random weights give logits that lie closer together than trained
ones: bf16 chooses other tokens where the package's best two are almost equal.

On cards programs and conversions are those of all runs in bf16, steps of recurrences beside the rest. The predicted
time is that of the traced runs, one after the other: the latency of one item. While it is computed the inputs of the
next are written by the card's second queue, so its inverse is also how many items there are in a second. The
real-time factor (RTF) is that time by the seconds of sound. "taken" says that the real ttnn takes every program of
these buckets as predicted, on a mock card.
"""
CLOSE = """
| system | numbers | itself | samples | spectrograms | exact | whole numbers |
|---|---|---:|---:|---:|---:|---:|
"""
CARDS = """
| system | card | sound | stage | runs | programs, steps | rest | conversions | predicted | RTF | ttnn |
|---|---|---:|---|---:|---:|---:|---:|---:|---:|---|
"""


STEPS = """
| system | numbers | stage | runs | least PCC | whole numbers |
|---|---|---|---:|---:|---:|
"""


@dataclass(frozen=True)
class Closeness:
    """How close one system is in one dtype."""

    system: str
    dtype: str
    itself: float
    samples: float
    spectrograms: float
    exact: float
    equal: int
    inputs: int

    @property
    def good(self) -> bool:
        """Return whether the spectrograms correlate as they must, and all whole numbers are equal."""
        least = LEAST[self.dtype]
        return self.spectrograms >= min(least, self.itself) and self.exact >= least and self.equal == self.inputs

    def __str__(self) -> str:
        figures = f"{self.itself:.7f} | {self.samples:.5f} | {self.spectrograms:.7f} | {self.exact:.7f}"
        return f"| {self.system} | {self.dtype} | {figures} | {self.equal} of {self.inputs} |"


@dataclass(frozen=True)
class Stage:
    """What one stage of a run takes on a card; `stage` is "all" for their sum."""

    system: str
    target: str
    sound: float
    stage: str
    runs: int
    steps: int
    programs: int
    conversions: int
    predicted: float
    word: str

    @property
    def good(self) -> bool:
        """Return whether the real library takes the stage."""
        return self.word == "taken"

    def __str__(self) -> str:
        counts = f"{self.runs:,} | {self.steps:,} | {self.programs:,} | {self.conversions:,}"
        times = f"{self.predicted * 1e3:.2f} ms | {self.predicted / self.sound:.4f}"
        return (
            f"| {self.system} | {self.target} | {self.sound:.2f} s | {self.stage} | {counts} | {times} | {self.word} |"
        )


TABLES: Mapping[type, str] = {Closeness: CLOSE, Beside: STEPS, Stage: CARDS}
"""The head of the table of each kind of rows."""


def closeness(name: str, programs: Programs, dtype: str, inputs: int) -> tuple[Closeness, list[StageRun], int]:
    """Run a system in a dtype and beside the package; return also its runs, and how many samples there are."""
    system, given = programs.system, inputs_of(programs.system)
    package = programs.package()
    wanted = system.run(package, 0, **given(0))
    with exact_transforms():
        exact = system.run(package, 0, **given(0))
    with programs.chain(dtype).session("emulator") as session:
        found = system.run(session, 0, **given(0))
        runs = list(session.runs)
    same = found.shape == wanted.shape
    itself, beside_exact = spectrogram_pcc(exact, wanted), spectrogram_pcc(found, exact)
    equal = sum(whole_numbers_are_equal(programs, dtype, given(seed), seed) for seed in range(inputs))
    samples = pcc(found, wanted) if same else 0.0
    figures = (itself, samples, spectrogram_pcc(found, wanted), beside_exact)
    return Closeness(name, dtype, *figures, equal, inputs), runs, len(wanted)


class Enough(Exception):
    """All stages that decide have run."""


class Deciding:
    """Runs the stages that give whole numbers, in a session and by the package's modules, and compares them."""

    def __init__(self, programs: Programs, dtype: str):
        self._package = programs.package()
        self._compiled, self.equal = programs.stages(dtype), True

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        wanted = self._package.run(stage, inputs, keep, seed)
        whole = [name for name, array in wanted.items() if np.array_equal(array, np.round(array))]
        if not whole:
            raise Enough
        found = self._compiled[stage].run(inputs, "emulator", seed=seed or 0)
        self.equal = self.equal and all(np.array_equal(found[name], wanted[name]) for name in whole)
        return wanted


def whole_numbers_are_equal(programs: Programs, dtype: str, given: Mapping[str, Any], seed: int) -> bool:
    """Return whether the first stages give the package's whole numbers, up to a stage that gives none."""
    deciding = Deciding(programs, dtype)
    with suppress(Enough, InputError):  # of a text too long for these buckets the durations have been compared
        programs.system.run(deciding, seed, **given)
    return deciding.equal


def on_card(name: str, programs: Programs, target: str, runs: list[StageRun], sound: float) -> Iterator[Stage]:
    """Yield what all runs of each stage take on a card, in bf16, and their sum; all buckets are put to the library."""
    stages, rows = programs.stages("bf16", target), list[Stage]()
    words = {
        stage: check_many([str(each.program.graph) for each in stages[stage].buckets], TARGETS[target])
        for stage in dict.fromkeys(run.stage for run in runs)
    }
    for run, count in counted(runs):
        bucket = next(each for each in stages[run.stage].buckets if each.sizes == run.bucket.sizes)
        costs = [(bool(call.loops), call.cost) for call in run_calls(bucket.program.graph, TARGETS[target])]
        several = sum(other.stage == run.stage for other, _ in counted(runs)) > 1
        rows.append(
            Stage(
                name,
                target,
                sound,
                f"{run.stage}, {size_words(run.bucket.sizes)}" if several else run.stage,
                count,
                count * sum(cost.programs for inside, cost in costs if inside),
                count * sum(cost.programs for inside, cost in costs if not inside),
                count * sum(cost.dispatch.conversions for _, cost in costs),
                count * sum(cost.seconds for _, cost in costs),
                "; ".join(fault for report in words[run.stage] for fault in report.faults) or "taken",
            )
        )
        yield rows[-1]
    numbers = ("runs", "steps", "programs", "conversions", "predicted")
    sums: dict[str, Any] = {each: sum(getattr(row, each) for row in rows) for each in numbers}
    word = "taken" if all(row.good for row in rows) else "not all taken"
    yield Stage(name, target, sound, "all", **sums, word=word)


def measured(name: str, inputs: int) -> Iterator[Closeness | Beside | Stage]:
    """Yield the rows of one system in both dtypes, and on all cards."""
    programs, runs, samples = Programs(SYSTEMS[name]()), list[StageRun](), 0
    for dtype in LEAST:
        if name in IN_STEPS:
            stages, runs, samples = beside(name, programs, dtype, inputs_of(programs.system)(0))
            yield from stages
        else:
            row, runs, samples = closeness(name, programs, dtype, inputs)
            yield row
    for target in TARGETS:
        yield from on_card(name, programs, target, runs, samples / programs.system.rate)


def with_others(rows: Sequence[Closeness | Beside | Stage], head: str, page: str) -> str:
    """Return the lines of a table, with those that a page has of systems not measured now, in the systems' order."""
    before = page.partition(head)[2].partition("\n\n")[0].splitlines()
    lines = [*map(str, rows), *(line for line in before if line.split()[1] not in {row.system for row in rows})]
    return head + "".join(f"{line}\n" for name in SYSTEMS for line in lines if line.split()[1] == name)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speech", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, help="these systems alone")
    parser.add_argument("--inputs", type=int, default=20, help="seeded inputs whose whole numbers are compared")
    parser.add_argument("--write", action="store_true", help=f"renew these rows of docs/{PAGE.name}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the packages' own
    rows: dict[type, list[Any]] = {kind: [] for kind in TABLES}
    good = True
    for name in options.only or SYSTEMS:
        for row in measured(name, options.inputs):
            print(row, flush=True)
            rows[type(row)].append(row)
            good = good and row.good
        if options.write:
            page = PAGE.read_text() if PAGE.is_file() else ""
            PAGE.write_text(HEAD + "".join(with_others(rows[kind], head, page) for kind, head in TABLES.items()))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
