"""Systems with steps of generation beside their packages: every run of every stage, after the package's own values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.speech_programs import Programs
from ttc.compiled.chain_session import ChainSession, StageRun
from ttc.generation.chosen import CHOSEN
from ttc.validation.accuracy import pcc

LEAST = {"fp32": 0.9999, "bf16": 0.99}
"""The correlation that what a stage leaves must reach; in fp32 all whole numbers must be equal, too."""

STATE = "sequence", "frames"
"""The outputs that are state: of each run the row that is new is compared."""


@dataclass
class Beside:
    """How close a stage of one system is in one dtype, in all of its runs."""

    system: str
    dtype: str
    stage: str
    runs: int = 0
    correlations: list[float] = field(default_factory=list)
    equal: int = 0
    whole: int = 0

    def add(self, found: np.ndarray, wanted: np.ndarray) -> None:
        """Compare an output of a run."""
        if wanted.dtype.kind in "iu":
            self.equal, self.whole = self.equal + int((found == wanted).sum()), self.whole + wanted.size
        else:
            self.correlations.append(pcc(found, wanted))

    @property
    def good(self) -> bool:
        """Return whether numbers correlate as they must, and whole numbers in fp32 are equal."""
        close = min(self.correlations, default=1.0) >= LEAST[self.dtype]
        return close and (self.equal == self.whole or self.dtype != "fp32")

    def __str__(self) -> str:
        least = f"{min(self.correlations):.7f}" if self.correlations else ""
        whole = f"{self.equal:,} of {self.whole:,}" if self.whole else ""
        return f"| {self.system} | {self.dtype} | {self.stage} | {self.runs:,} | {least} | {whole} |"


class BothWays:
    """Runs the stages of a system by the package's modules, and in a session that is given what these leave."""

    def __init__(self, name: str, programs: Programs, dtype: str, session: ChainSession):
        self._package, self._session, self._sequences = programs.package(), session, dict[str, np.ndarray]()
        self._new = lambda stage: Beside(name, dtype, stage)
        self.rows: dict[str, Beside] = {}

    def run(
        self, stage: str, inputs: Mapping[str, Any], keep: Collection[str] = (), seed: int | None = None
    ) -> dict[str, Any]:
        """Run a stage both ways; return the package's outputs."""
        known = self._sequences.get(stage)
        wanted = self._package.run(stage, inputs, seed=seed)
        row = self.rows.setdefault(stage, self._new(stage))
        row.runs += 1
        found = self._session.run(stage, _given(inputs, known), seed=seed)
        for name, array in wanted.items():
            new = _new_row(name, inputs)
            row.add(found[name][new], array[new])
        if "sequence" in wanted:
            self._sequences[stage] = wanted["sequence"]
        return wanted


def _given(inputs: Mapping[str, Any], sequence: np.ndarray | None) -> dict[str, Any]:
    """Return the inputs of a run, with the package's token where the step would read the one that itself has chosen."""
    given = dict(inputs)
    if sequence is not None and np.array_equal(given["input_ids"], [[CHOSEN]]):
        given["input_ids"] = sequence[:, int(given["start"][0])][None]
    return given


def _new_row(name: str, inputs: Mapping[str, Any]) -> Any:
    """Return the part of an output that a run has made: of a state the row after the tokens, or of the step."""
    if name not in STATE or "start" not in inputs:
        return ...
    start = int(inputs["start"][0])
    return (slice(None), start + np.shape(inputs["input_ids"])[1]) if name == "sequence" else (..., start, slice(None))


def beside(
    name: str, programs: Programs, dtype: str, given: Mapping[str, Any]
) -> tuple[list[Beside], list[StageRun], int]:
    """Run a system both ways; return how close each stage is, its runs, and the samples."""
    with programs.chain(dtype).session("emulator") as session:
        both = BothWays(name, programs, dtype, session)
        samples = len(programs.system.run(both, 0, **given))
        return list(both.rows.values()), list(session.runs), samples


def counted(runs: list[StageRun]) -> Iterator[tuple[StageRun, int]]:
    """Yield one run of each stage in each bucket, in order, and how many there are."""
    found: dict[tuple[str, tuple[tuple[str, int], ...]], list[StageRun]] = {}
    for run in runs:
        found.setdefault((run.stage, tuple(run.bucket.sizes.items())), []).append(run)
    for each in found.values():
        yield each[0], len(each)
