"""Systems of speech at their real sizes, from text or recordings to samples, against the packages' own modules.

    python -m bench.speech [--only NAME ...] [--inputs N] [--write]

`--write` renews the rows of docs/speech.md of the systems measured. The exit status is 1 if a card takes a program
not as predicted, or a system misses its accuracy.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.speech_inputs import inputs_of
from ttc.analysis.run_calls import run_calls
from ttc.calls.target import TARGETS
from ttc.compiled.chain import Chain
from ttc.compiled.chain_session import StageRun
from ttc.compiled.compiled import Compiled
from ttc.errors import InputError
from ttc.models.model import Built
from ttc.models.systems import SYSTEMS, system_named
from ttc.models.systems.compile import built_stages, compile_stages
from ttc.models.systems.system import System
from ttc.runtime.check import check_many
from ttc.validation.accuracy import pcc
from ttc.validation.system import Package, exact_transforms, spectrogram_pcc

PAGE = Path(__file__).parents[1] / "docs" / "speech.md"
LEAST = {"fp32": 0.9999, "bf16": 0.99}
"""The correlation that logarithmic spectrograms must reach; beside the package's own no more than "itself"."""

MEASURED = tuple(name for name in SYSTEMS if not any(stage.step for stage in system_named(name)().stages))
"""The systems measured: those without steps of generation, whose caches a package's own modules keep elsewhere."""

HEAD = """# Speech

Systems at their published sizes, with random weights of seed 0, in the two smallest buckets of each length: from the
inputs of `bench/speech_inputs.py` to samples. Compared is with the package's own modules at the true lengths, by the
emulator: the correlation (PCC) of the samples and of their logarithmic spectrograms, and for how many inputs all whole
numbers (durations) are equal. "itself" is the package beside the package with Fourier transforms in float64: where a
spectrum is real, as that of a mirrored edge is, rounding decides between the phases of pi and -pi. "exact" are the
spectrograms beside the latter. Programs and conversions are those of one run in bf16 on the card, steps of recurrences
beside the rest; the real-time factor (RTF) is the predicted time of the traced run by the seconds of sound. "taken"
says that the real ttnn takes every program of these buckets as predicted, on a mock card. Written by
`python -m bench.speech --write`.
"""
CLOSE = """
| system | numbers | itself | samples | spectrograms | exact | whole numbers |
|---|---|---:|---:|---:|---:|---:|
"""
CARDS = """
| system | card | sound | stage | programs, steps | rest | conversions | predicted | RTF | ttnn |
|---|---|---:|---|---:|---:|---:|---:|---:|---|
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
        counts = f"{self.steps:,} | {self.programs:,} | {self.conversions:,}"
        times = f"{self.predicted * 1e3:.2f} ms | {self.predicted / self.sound:.4f}"
        return (
            f"| {self.system} | {self.target} | {self.sound:.2f} s | {self.stage} | {counts} | {times} | {self.word} |"
        )


def short(name: str) -> System:
    """Return a system with the two smallest buckets of each of its lengths."""
    kind: Any = system_named(name)

    class Short(kind):
        @property
        def lengths(self) -> Mapping[str, tuple[int, ...]]:
            return {name: sizes[:2] for name, sizes in super().lengths.items()}

    return Short()


@dataclass
class Programs:
    """The stages of a system with random weights, each compiled once; other cards and dtypes are variants."""

    system: System
    built: Mapping[str, Built] = field(init=False)
    _known: dict[tuple[str, str], Mapping[str, Compiled]] = field(default_factory=dict)

    def __post_init__(self):
        self.built = built_stages(self.system, None, 0)

    def stages(self, dtype: str, target: str = "n150") -> Mapping[str, Compiled]:
        """Return the stages for a card."""
        key = dtype, target
        if not self._known:
            self._known[key] = compile_stages(self.system, self.built, target, dtype, lambda what: None)
        elif key not in self._known:
            first = next(iter(self._known.values()))
            self._known[key] = {
                each.name: first[each.name].variant(dtype=each.dtype_in(dtype), target=target)
                for each in self.system.stages
            }
        return self._known[key]

    def package(self) -> Package:
        """Return a session of the package's own modules."""
        return Package(self.built, {each.name: each.axes for each in self.system.stages})

    def chain(self, dtype: str) -> Chain:
        """Link the stages for the first card."""
        return Chain.of({name: each.executable for name, each in self.stages(dtype).items()}, self.system.links)


def closeness(programs: Programs, dtype: str, inputs: int) -> tuple[Closeness, list[StageRun]]:
    """Run a system in a dtype and beside the package; return also what each stage's run was."""
    system, given = programs.system, inputs_of(programs.system)
    package = programs.package()
    wanted = system.run(package, 0, **given(0))
    with exact_transforms():
        exact = system.run(package, 0, **given(0))
    with programs.chain(dtype).session("emulator") as session:
        found = system.run(session, 0, **given(0))
        runs = list(session.runs)
    same = found.shape == wanted.shape
    itself, beside = spectrogram_pcc(exact, wanted), spectrogram_pcc(found, exact)
    equal = sum(whole_numbers_are_equal(programs, dtype, given(seed), seed) for seed in range(inputs))
    samples = pcc(found, wanted) if same else 0.0
    figures = (itself, samples, spectrogram_pcc(found, wanted), beside)
    return Closeness(system.name, dtype, *figures, equal, inputs), runs


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
        found = self._compiled[stage].executable.run(inputs, "emulator", seed=seed or 0)
        self.equal = self.equal and all(np.array_equal(found[name], wanted[name]) for name in whole)
        return wanted


def whole_numbers_are_equal(programs: Programs, dtype: str, given: Mapping[str, Any], seed: int) -> bool:
    """Return whether the first stages give the package's whole numbers, up to a stage that gives none."""
    deciding = Deciding(programs, dtype)
    with suppress(Enough, InputError):  # of a text too long for these buckets the durations have been compared
        programs.system.run(deciding, seed, **given)
    return deciding.equal


def on_card(programs: Programs, target: str, runs: list[StageRun], sound: float) -> Iterator[Stage]:
    """Yield what each stage of a run takes on a card, in bf16, and their sum; all buckets are put to the library."""
    compiled, rows = programs.stages("bf16", target), []
    for run in runs:
        buckets = compiled[run.stage].buckets
        bucket = next(each for each in buckets if each.sizes == run.bucket.sizes)
        reports = check_many([str(each.program.graph) for each in buckets], TARGETS[target])
        faults = [fault for report in reports for fault in report.faults]
        costs = [(bool(call.loops), call.cost) for call in run_calls(bucket.program.graph, TARGETS[target])]
        rows.append(
            Stage(
                programs.system.name,
                target,
                sound,
                run.stage,
                sum(cost.programs for inside, cost in costs if inside),
                sum(cost.programs for inside, cost in costs if not inside),
                sum(cost.dispatch.conversions for _, cost in costs),
                sum(cost.seconds for _, cost in costs),
                "; ".join(faults) or "taken",
            )
        )
        yield rows[-1]
    numbers = ("steps", "programs", "conversions", "predicted")
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in numbers}
    word = "taken" if all(row.good for row in rows) else "not all taken"
    yield Stage(programs.system.name, target, sound, "all", **sums, word=word)


def measured(name: str, inputs: int) -> tuple[list[Closeness], list[Stage]]:
    """Measure one system in both dtypes, on all cards, and print each row as soon as it is known."""
    programs = Programs(short(name))
    close, cards, runs = [], [], []
    for dtype in LEAST:
        row, runs = closeness(programs, dtype, inputs)
        close.append(row)
        print(row, flush=True)
    sound = len(programs.system.run(programs.package(), 0, **inputs_of(programs.system)(0))) / programs.system.rate
    for target in TARGETS:
        for stage in on_card(programs, target, runs, sound):
            cards.append(stage)
            print(stage, flush=True)
    return close, cards


def with_others(rows: Sequence[Closeness] | Sequence[Stage], head: str) -> str:
    """Return the lines of a table, with those that the page has of systems not measured now, in the systems' order."""
    page = PAGE.read_text() if PAGE.is_file() else ""
    before = page.partition(head)[2].partition("\n\n")[0].splitlines()
    lines = [*map(str, rows), *(line for line in before if line.split()[1] not in {row.system for row in rows})]
    return "".join(f"{line}\n" for name in SYSTEMS for line in lines if line.split()[1] == name)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speech", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASURED, help="these systems alone")
    parser.add_argument("--inputs", type=int, default=20, help="seeded inputs whose whole numbers are compared")
    parser.add_argument("--write", action="store_true", help=f"renew these rows of docs/{PAGE.name}")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the packages' own
    close: list[Closeness] = []
    cards: list[Stage] = []
    for name in options.only or MEASURED:
        found = measured(name, options.inputs)
        close += found[0]
        cards += found[1]
    if options.write:
        PAGE.write_text(HEAD + CLOSE + with_others(close, CLOSE) + CARDS + with_others(cards, CARDS))
    return 0 if all(row.good for row in (*close, *cards)) else 1


if __name__ == "__main__":
    sys.exit(main())
