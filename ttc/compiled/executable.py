"""`Executable`: a compiled program with its weights, ready to run, save or inspect. `ttc.load` gives one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.errors import InputError, enough_memory
from ttc.guard.files import as_path
from ttc.ir import Weights
from ttc.runtime import artifact
from ttc.runtime.devices import emulates, open_device, require_names
from ttc.runtime.memory import require_memory
from ttc.runtime.program import Program
from ttc.runtime.session import Session

if TYPE_CHECKING:
    from ttc.analysis.report import Report


@dataclass(eq=False)
class Executable:
    """A program of calls, the text of the graph that derives its weights, and the weights (perhaps without data).

    `literals` are the known tensors that the derivation needs beside the model's weights.
    """

    program: Program
    derivation: str
    weights: Weights
    literals: Weights = field(default_factory=Weights)
    _sessions: dict[tuple[str | None, str], Session] = field(default_factory=dict, init=False, repr=False)
    _turn: RLock = field(default_factory=RLock, init=False, repr=False)

    def session(self, device: str | None = None, mode: str = "exact") -> Session:
        """A new session on "emulator" or "ttnn" (by default a real card if there is one); state lives in it."""
        if self.weights.fake:
            raise InputError(
                "the program was compiled from weights without data: ttc.load(path, weights=...) binds them"
            )
        with enough_memory("setting the program up"):
            require_memory(self.program, emulates(device))
            return Session(self.program, self.weights, open_device(device, mode, self.program.target))

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

    def save(self, path: str | PathLike[str], progress: Callable[[str], None] | None = None) -> None:
        """Write the `.ttc` artifact, whole or not at all; without weight data it says `weights: none`.

        `progress` is told of each weight before it is computed.
        """
        arrays = None if self.weights.fake else self._arrays(progress or (lambda what: None))
        with enough_memory("computing the weights"):
            artifact.save(as_path(path), self.program, self.derivation, arrays, literals=self.literals)

    def _arrays(self, progress: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
        """Each weight by reference, computed when it is asked for."""
        for ref in self.weights:
            progress(f"writing {ref}")
            yield ref, self.weights.read(ref)

    @cached_property
    def source(self) -> str:
        """The program as a stand-alone Python file of TTNN calls."""
        from ttc.analysis.script import script

        return script(self.program.graph)

    @cached_property
    def report(self) -> Report:
        """Counts, bytes, peaks and predicted time of the program."""
        from ttc.analysis.report import report
        from ttc.calls.target import target_named

        return report(self.program.graph, target_named(self.program.target))
