"""Rows of the table: a program on a device beside the emulator, or put to the real library on a mock card."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from ttc.analysis.report import report
from ttc.calls.call import BLOCK_FORMATS
from ttc.calls.layout import Typecast
from ttc.calls.loop import Empty
from ttc.calls.target import target_named
from ttc.errors import TtcError
from ttc.ir import DType, Weights
from ttc.runtime.check import CheckReport
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.device import Device
from ttc.runtime.run.device_timed import TimedDevice
from ttc.runtime.run.program import Program
from ttc.runtime.run.session import Session
from ttc.validation.accuracy import pcc, scaled_error

RUNS = 5
"""Runs of a program that are compared with the first and timed, after the first."""

LEAST_PCC = 0.999
LARGEST_ERROR = {DType.f32: 0.01}
"""The largest scaled error by type of the result; of the types with 8 significant bits or fewer it is NARROW_ERROR."""

NARROW_ERROR = 0.03
NOT_RUN = "not run"
"""The beginning of the note of a row that holds no findings."""

MODEL_PCC, MODEL_ERROR = 0.99, 0.25
"""Limits for whole models, in which differences add up."""


@dataclass(frozen=True)
class Trial:
    """A program to try, its weights and inputs, and how close its results must be."""

    name: str
    program: Program
    weights: Weights
    inputs: Mapping[str, np.ndarray]
    model: bool = False


@dataclass(frozen=True)
class Row:
    """Findings on a program: `pcc` and `scaled_error` of the worst output, None where nothing was computed.

    `seconds` is the time of the calls of a run, each waited for; `traced_seconds` that of a whole run as a trace on a
    card, inputs and outputs included; `predicted_seconds` the cost model's time of the calls.
    `fault` is what is wrong, "" if nothing is.
    """

    name: str
    fault: str = ""
    pcc: float | None = None
    scaled_error: float | None = None
    seconds: float | None = None
    traced_seconds: float | None = None
    predicted_seconds: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        return not self.fault

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {"ok": self.ok, **asdict(self)}


@dataclass(frozen=True)
class Bench:
    """A device, how to wait for its calls, the emulator to compare with, and on a card how to open a traced session."""

    device: Device
    wait: Callable[[], None]
    emulator: Device
    traced: Callable[[Program, Weights], Session] | None = None


def compared(trial: Trial, bench: Bench) -> Row:
    """Run a program on a device, again and again, a model as a trace too, and once on the emulator."""
    row = Row(trial.name, predicted_seconds=predicted_seconds(trial.program))
    try:
        first, row = _eager(trial, bench, row)
        if bench.traced and trial.model:
            row = _replayed(trial, bench.traced(trial.program, trial.weights), first, row)
    except TtcError as refusal:
        return replace(row, fault=f"refused: {refusal}")
    wanted = _session(trial, bench.emulator).run(trial.inputs)
    pairs = {name: (first[name], wanted[name]) for name in _decided(trial.program)}
    close = {name: (pcc(*pair), scaled_error(*pair)) for name, pair in pairs.items()}
    return replace(
        row,
        fault=row.fault or _fault(trial, close),
        pcc=min((correlation for correlation, _ in close.values()), default=None),
        scaled_error=max((error for _, error in close.values()), default=None),
    )


def _eager(trial: Trial, bench: Bench, row: Row) -> tuple[dict[str, np.ndarray], Row]:
    """Run call by call; return the first results, and the row with the median time and what changed later."""
    device, times = TimedDevice(bench.device, bench.wait), []
    with _session(trial, device) as session:
        first = session.run(trial.inputs)
        for _ in range(RUNS):
            device.seconds.clear()
            later = session.run(trial.inputs)
            times.append(sum(device.seconds))
            row = replace(row, fault=row.fault or _changed("a later run", first, later, trial.program))
    return first, replace(row, seconds=median(times))


def _replayed(trial: Trial, session: Session, first: Mapping[str, np.ndarray], row: Row) -> Row:
    """Run as a trace: a run to warm up, one that is captured, and replays; return the row with the replays' time."""
    times = []
    with session:
        if session.eager is not None:
            return replace(row, note=f"not traced: {session.eager}")
        for _ in range(2 + RUNS):
            started = time.perf_counter()
            later = session.run(trial.inputs)
            times.append(time.perf_counter() - started)
            row = replace(row, fault=row.fault or _changed("a traced run", first, later, trial.program))
    return replace(row, traced_seconds=median(times[2:]))


def predicted_seconds(program: Program) -> float:
    """Predict the time of a run by the cost model."""
    return report(program.graph, target_named(program.target)).predicted_seconds


def checked(trial: Trial, found: CheckReport) -> Row:
    """Return the row of a program that was put to the real library without numbers."""
    return Row(trial.name, "; ".join(found.faults), predicted_seconds=predicted_seconds(trial.program))


def _session(trial: Trial, device: Device) -> Session:
    return Session([Bucket.exact(trial.program)], trial.weights, device)


def _decided(program: Program) -> Iterator[str]:
    """Yield the outputs that have numbers: what is only room to write in has any."""
    return (name for name, value in program.graph.outputs if not isinstance(value.op, Empty))


def _changed(run: str, first: Mapping[str, np.ndarray], later: Mapping[str, np.ndarray], program: Program) -> str:
    """Describe an output that a later run gives otherwise, as a program that TTNN binds to other buffers would."""
    for name in _decided(program):
        if not np.array_equal(first[name], later[name], equal_nan=first[name].dtype.kind == "f"):
            return f"{name} is another in {run}, by {scaled_error(later[name], first[name]):.1e}"
    return ""


def _fault(trial: Trial, close: Mapping[str, tuple[float, float]]) -> str:
    """Describe the first output that differs by more than rounding explains; `close` are PCCs and scaled errors."""
    moves, outputs = moves_alone(trial.program), dict(trial.program.graph.outputs)
    for name, (correlation, error) in close.items():
        dtype = outputs[name].dtype
        exact = moves or not dtype.is_float
        largest = LARGEST_ERROR.get(dtype, NARROW_ERROR)
        largest, least = (MODEL_ERROR, MODEL_PCC) if trial.model else (largest, LEAST_PCC)
        if exact and not trial.model and error > 0:
            return f"{name} differs by {error:.1e}, and must be equal"
        if error > largest or correlation < least:
            return f"{name} differs: PCC {correlation:.6f}, scaled error {error:.1e} (asked {least:g} and {largest:g})"
    return ""


def moves_alone(program: Program) -> bool:
    """Return whether a program changes no number: its calls move elements alone, in types that hold them all."""
    calls: Sequence[Any] = [node.op for node in program.calls()]
    narrow = any(value.dtype in BLOCK_FORMATS for value in program.graph.values())
    return not narrow and all(call.moves and not isinstance(call, Typecast) for call in calls)
