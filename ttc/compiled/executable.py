"""`Executable`: compiled programs with their weights, ready to run, save or inspect. `ttc.load` gives one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import InputError, enough_memory
from ttc.guard.files import as_path
from ttc.ir import Graph, Weights
from ttc.runtime.file import artifact
from ttc.runtime.run.buckets import Bucket, choose, true_lengths
from ttc.runtime.run.device import Device
from ttc.runtime.run.device_timed import TimedDevice
from ttc.runtime.run.devices import emulates, on_card, open_device, require_names
from ttc.runtime.run.memory import require_memory
from ttc.runtime.run.program import Program
from ttc.runtime.run.session import Session
from ttc.runtime.run.traced import TracingDevice

if TYPE_CHECKING:
    from ttc.analysis.report import Report
    from ttc.analysis.run_calls import RunCall
    from ttc.analysis.timeline import Moment
    from ttc.pipeline import Build


@dataclass(eq=False)
class Executable:
    """The programs of one model, one for each bucket, and the weights that they share (perhaps without data).

    `derivation` is the graph that derives the weights from the model's own, of an artifact as text; `literals` are the
    known tensors that the graph needs beside these.
    """

    buckets: tuple[Bucket, ...]
    derivation: Graph | str
    weights: Weights
    literals: Weights = field(default_factory=Weights)
    _sessions: dict[tuple[str | None, str], Session] = field(default_factory=dict, init=False, repr=False)
    _turn: RLock = field(default_factory=RLock, init=False, repr=False)

    @classmethod
    def of(cls, builds: Sequence[Build]) -> Executable:
        """Join the builds of all buckets of a model, the largest last: they share weights, and the forms of states."""
        from ttc.compiled.forms import with_same_states
        from ttc.compiled.sharing import share_weights
        from ttc.ops.derived import derived_weights, literals
        from ttc.runtime.run.program import weight_types

        shared, derivations = share_weights(builds)
        buckets = with_same_states(shared)
        types = weight_types(*(bucket.program for bucket in buckets))
        return cls(buckets, derivations, derived_weights(types, derivations), literals(derivations))

    @property
    def program(self) -> Program:
        """Return the program of the largest bucket, which source and report are of."""
        return self.buckets[-1].program

    def session(self, device: str | None = None, mode: str = "exact", trace: bool = True) -> Session:
        """Open a new session on "emulator" or "ttnn" (by default a real card if there is one); state lives in it.

        On a card runs are traced where that is possible, or else the session's `eager` says why; with `trace` false
        they are not.
        """
        self._require_data()
        require_memory(self.program, emulates(device))
        sizes = self.trace_sizes if trace and on_card(device) else ()
        region = sum(sizes) if all(sizes) else 0
        return self.session_on(open_device(device, mode, self.program.target, region), trace)

    def session_on(self, device: Device, trace: bool = True) -> Session:
        """Open a new session on a device that is open, where sessions of other executables may be too."""
        self._require_data()
        with enough_memory("setting the program up"):
            sizes = self.trace_sizes if trace and isinstance(device, TracingDevice) else ()
            return Session(self.buckets, self.weights, device, sizes)

    def _require_data(self) -> None:
        if self.weights.fake:
            raise InputError(
                "the program was compiled from weights without data: ttc.load(path, weights=...) binds them"
            )

    @property
    def trace_sizes(self) -> tuple[int, ...]:
        """Estimate the bytes that the trace of each program takes on a card; 0 for one that cannot be traced."""
        from ttc.analysis.trace_region import region_sizes
        from ttc.calls.target import target_named

        return region_sizes([bucket.program.graph for bucket in self.buckets], target_named(self.program.target))

    def run(self, inputs: Any, device: str | None = None, mode: str = "exact", seed: int = 0) -> dict[str, np.ndarray]:
        """Run once, from zero state: outputs by name from inputs by name, in order, or the only one itself.

        Random inputs (`random.normal.0`) that are not given are drawn from `seed`. Threads take turns.
        """
        require_names(device, mode)
        key = (device, mode)
        with self._turn, enough_memory("running the program"):
            if key not in self._sessions:
                self._sessions[key] = self.session(device, mode)
            self._sessions[key].reset()
            return self._sessions[key].run(inputs, seed=seed)

    def profile(self, inputs: Any, device: str | None = None) -> list[Moment]:
        """List the calls of a run in order, each with its time: measured on a card, one by one, else predicted."""
        from ttc.analysis.timeline import timeline
        from ttc.calls.target import target_named

        _, lengths = true_lengths(self.buckets[-1], inputs)
        bucket = self.buckets[choose(self.buckets, lengths)]
        seconds = self._measured(bucket, inputs) if on_card(device) else None
        return timeline(bucket.program.graph, target_named(self.program.target), seconds)

    def _measured(self, bucket: Bucket, inputs: Any) -> list[float]:
        """Measure the calls of a second run on a card, whose kernels are compiled by then."""
        card = open_device("ttnn", target=self.program.target)
        assert isinstance(card, TracingDevice)
        try:
            with card.queues.turn:
                card.queues.release_all()
                timed = TimedDevice(card, card.queues.wait)
                with Session([bucket], self.weights, timed) as session:
                    session.run(inputs)
                    session.reset()
                    timed.seconds.clear()
                    session.run(inputs)
                return timed.seconds
        finally:
            card.leave()

    def save(self, path: str | PathLike[str], progress: Callable[[str], None] | None = None) -> None:
        """Write the `.ttc` artifact, whole or not at all; without weight data it says `weights: none`.

        `progress` is told of each weight before it is computed.
        """
        arrays = None if self.weights.fake else self._arrays(progress or (lambda what: None))
        with enough_memory("computing the weights"):
            artifact.save(as_path(path), self.buckets, str(self.derivation), arrays, self.literals)

    def _arrays(self, progress: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each weight by reference, computed when it is asked for."""
        for ref in self.weights:
            progress(f"writing {ref}")
            yield ref, self.weights.read(ref)

    @cached_property
    def source(self) -> str:
        """Return the program as a stand-alone Python file of TTNN calls."""
        from ttc.analysis.script import script

        return script(self.program.graph, self.trace_sizes[-1])

    @property
    def calls(self) -> list[RunCall]:
        """List the calls of one run of the program, each with its predicted cost."""
        from ttc.analysis.run_calls import run_calls
        from ttc.calls.target import target_named

        return list(run_calls(self.program.graph, target_named(self.program.target)))

    @cached_property
    def report(self) -> Report:
        """Report counts, bytes, peaks and predicted time of the program."""
        from ttc.analysis.report import report
        from ttc.calls.target import target_named

        return report(self.program.graph, target_named(self.program.target))
