"""The trials of a selftest: which there are, and where they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ttc.calls.target import Target
from ttc.errors import InputError, TtcError
from ttc.ir import Weights
from ttc.runtime.check import reports
from ttc.runtime.run.device import Device
from ttc.selftest.models import MODELS, model_trial
from ttc.selftest.numbers import drawn
from ttc.selftest.programs import call_programs
from ttc.selftest.rows import Row, Timed, Trial, checked, compared

Progress = Callable[[str, int], None]
"""Called with the name of each trial before it, and how many there are."""


@dataclass(frozen=True)
class Chosen:
    """The trials whose names hold a part: of calls, and models that are yet to compile."""

    calls: tuple[Trial, ...]
    models: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.calls) + len(self.models)


def chosen(target: Target, part: str = "") -> Chosen:
    """Choose the trials whose names hold `part`; InputError if there are none."""
    calls = [
        Trial(name, program, Weights(), drawn(program.graph, seed))
        for seed, (name, program) in enumerate(call_programs(target))
        if part in name
    ]
    found = Chosen(tuple(calls), tuple(name for name in MODELS if part in name))
    if not found.count:
        raise InputError(f"no trial has {part!r} in its name: names are those of TTNN's calls, {', '.join(MODELS)}")
    return found


def on_device(
    trials: Chosen, target: Target, device: Device, wait: Callable[[], None], emulator: Device, progress: Progress
) -> Iterator[Row]:
    """Run every trial on a device beside the emulator."""
    timed = Timed(device, wait)
    for trial in _with_models(trials, target, progress):
        yield trial if isinstance(trial, Row) else compared(trial, timed, emulator)


def on_mock(trials: Chosen, target: Target, progress: Progress) -> Iterator[Row]:
    """Put every trial's program to the real library on a mock card, which computes nothing."""
    ready = list(_with_models(trials, target, progress))
    texts = [str(trial.program.graph) for trial in ready if isinstance(trial, Trial)]
    found = reports(texts, target, lambda step, steps: None)
    for trial in ready:
        progress(trial.name, trials.count)
        yield trial if isinstance(trial, Row) else checked(trial, next(found))


def _with_models(trials: Chosen, target: Target, progress: Progress) -> Iterator[Trial | Row]:
    """Yield the trials, models compiled when their turn comes; a row in place of a model that cannot be compiled."""
    for trial in trials.calls:
        progress(trial.name, trials.count)
        yield trial
    for name in trials.models:
        progress(name, trials.count)
        try:
            yield model_trial(name, target.name)
        except TtcError as error:
            yield Row(name, note=f"not run: {error}")
