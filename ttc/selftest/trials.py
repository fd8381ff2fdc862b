"""The trials of a selftest: which there are, and where they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ttc.calls.target import Target
from ttc.errors import InputError, TtcError
from ttc.ir import Weights
from ttc.runtime.check import reports
from ttc.selftest.models import MODELS, model_trial
from ttc.selftest.numbers import drawn
from ttc.selftest.programs import call_programs
from ttc.selftest.rows import NOT_RUN, Bench, Row, Trial, checked, compared

Progress = Callable[[str, int], None]
"""Called with the name of each trial before it, and how many there are."""


@dataclass(frozen=True)
class Chosen:
    """The trials whose names hold a part: of calls, and models that are yet to compile."""

    calls: tuple[Trial, ...]
    models: tuple[str, ...]


def chosen(target: Target, part: str = "") -> Chosen:
    """Choose the trials whose names hold `part`; InputError if there are none."""
    calls = [
        Trial(name, program, Weights(), drawn(program.graph, seed))
        for seed, (name, program) in enumerate(call_programs(target))
        if part in name
    ]
    found = Chosen(tuple(calls), tuple(name for name in MODELS if part in name))
    if not (found.calls or found.models):
        raise InputError(f"no trial has {part!r} in its name: names are those of TTNN's calls, {', '.join(MODELS)}")
    return found


def on_device(ready: Sequence[Trial | Row], bench: Bench, progress: Progress) -> Iterator[Row]:
    """Run every trial on a device beside the emulator."""
    for trial in ready:
        progress(trial.name, len(ready))
        yield trial if isinstance(trial, Row) else compared(trial, bench)


def on_mock(ready: Sequence[Trial | Row], target: Target, progress: Progress) -> Iterator[Row]:
    """Put every trial's program to the real library on a mock card, which computes nothing."""
    texts = [str(trial.program.graph) for trial in ready if isinstance(trial, Trial)]
    found = reports(texts, target, lambda step, steps: None)
    for trial in ready:
        progress(trial.name, len(ready))
        yield trial if isinstance(trial, Row) else checked(trial, next(found))


def prepared(trials: Chosen, target: Target, progress: Progress) -> list[Trial | Row]:
    """Return the trials with their models compiled; a row in place of a model that cannot be compiled here."""
    ready: list[Trial | Row] = list(trials.calls)
    for name in trials.models:
        progress(f"compiling {name}", len(trials.models))
        try:
            ready.append(model_trial(name, target.name))
        except TtcError as error:
            ready.append(Row(name, note=f"{NOT_RUN}: {error}"))
    return ready
