"""`Compiled`: what `ttc.compile` returns, one program for each static form that the model is called in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.calls.target import Target
from ttc.compiled.executable import Executable
from ttc.errors import InputError, TtcError, enough_memory
from ttc.guard.files import as_path, check_output
from ttc.ir import Graph, print_graph
from ttc.ir.random import random_kind
from ttc.pipeline import Build, compile_graph, every_stage, literals
from ttc.sources import Inputs, Source, Specialisation

if TYPE_CHECKING:
    from ttc.analysis.report import Report
    from ttc.frontend.export import Signature
    from ttc.runtime.session import Session


@dataclass(frozen=True)
class Variant:
    """One compiled form: its build, its executable, its graph after each stage, its call structure (PyTorch only)."""

    build: Build
    executable: Executable
    stages: dict[str, Graph]
    signature: Signature | None


class Compiled:
    """A model compiled for one card. Forms that are not known yet are compiled when a call first needs them.

    What is shown, saved or given a session is the form that `compile` was asked for, where lengths or example arguments
    say one; else the first that a call needed. Later calls in other forms change nothing of that. Threads take turns.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        dtype: str,
        progress: Callable[[str], None] | None = None,
        allow_host: Collection[str] = (),
    ):
        self.target, self.dtype, self.allow_host = target, dtype, tuple(allow_host)
        self._source = source
        self._progress = progress or (lambda what: None)
        self._variants: dict[Hashable, Variant] = {}
        self._shown: Variant | None = None
        self._turn = RLock()
        ready = source.ready()
        if ready:
            self._variant(ready)

    # ------------------------------------------------------------ running

    def run(
        self, inputs: Inputs, device: str | None = None, mode: str = "exact", seed: int = 0
    ) -> dict[str, np.ndarray]:
        """Outputs by name from inputs by name, in order, or one array; from zero state.

        `device` is "emulator" or "ttnn" (default: a real card if there is one), `mode` the emulator's
        numerics, "exact" or "tensix". Outputs have the model's dtypes, bfloat16 as float32.
        What the model draws at random are inputs of the program too (`random.normal.0`): `seed` draws those not given.
        """
        given, random = _without_random(inputs)
        with every_stage(self.target, self.dtype, self.allow_host):
            needed = self._source.for_inputs(given)
            variant = self._variant(needed)
        named = {**needed.inputs(variant.signature), **random}
        return variant.executable.run(named, device, mode, seed)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model as its own framework does: torch tensors out, in the module's own structure."""
        from ttc.sources.torch_source import outputs_as_tensors

        with every_stage(self.target, self.dtype, self.allow_host):
            needed = self._source.for_call(args, kwargs)
            variant = self._variant(needed)
        found = variant.executable.run(needed.inputs(variant.signature))
        return outputs_as_tensors(found, variant.executable.program.outputs, variant.signature)

    def session(self, device: str | None = None, mode: str = "exact") -> Session:
        """A session of its own state on the form shown."""
        return self._form().executable.session(device, mode)

    # ------------------------------------------------------------ looking

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages whose text differs from the one before: import, passes, lower, backend passes."""
        return tuple(self._form().stages)

    def dump(self, stage: str) -> str:
        """The program's text after a stage, each line with its location in the model.

        InputError with the stages' names for an unknown one.
        """
        stages = self._form().stages
        if not isinstance(stage, str) or stage not in stages:
            raise InputError(f"no stage is called {stage!r}; this model has {', '.join(stages)}")
        return print_graph(stages[stage], locations=True)

    def after(self, name: str) -> str:
        """The program's text after a pass, whether the pass changed it or not; InputError for an unknown pass."""
        from ttc.pipeline import STAGES

        if name not in STAGES:
            raise InputError(f"no pass is called {name!r}; in order they are {', '.join(STAGES)}")
        until = STAGES[: STAGES.index(name) + 1]
        return self.dump(next(stage for stage in reversed(self.stages) if stage.partition("-")[0] in until))

    @property
    def build(self) -> Build:
        """The form shown with what it was lowered from: for comparing the two step by step."""
        return self._form().build

    @property
    def source(self) -> str:
        """The program as a stand-alone Python file of TTNN calls."""
        return self._form().executable.source

    @property
    def report(self) -> Report:
        """Counts, bytes, peaks and predicted time; `.to_dict()` is JSON-able."""
        return self._form().executable.report

    @property
    def known(self) -> bool:
        """Whether there is a form already."""
        return self._shown is not None

    @property
    def files(self) -> Collection[Path]:
        """The files that the model is read from."""
        return self._source.files

    def save(self, path: str | PathLike[str]) -> None:
        """Write the form shown as a `.ttc` artifact, whole or not at all, and never over the model's own files."""
        check_output(as_path(path), self.files)
        self._form().executable.save(path, self._progress)

    # ------------------------------------------------------------ forms

    def _form(self) -> Variant:
        if self._shown is None:
            raise TtcError(_no_form(self._source.unbound(), self._source.undecided()))
        return self._shown

    def _variant(self, needed: Specialisation) -> Variant:
        """The form that a call needs, compiled now if it is new."""
        with self._turn:
            if needed.key not in self._variants:
                self._variants[needed.key] = self._compile(needed)
            self._shown = self._shown or self._variants[needed.key]
            return self._variants[needed.key]

    def _compile(self, needed: Specialisation) -> Variant:
        with enough_memory("compiling this model"):
            return self._compiled(needed)

    def _compiled(self, needed: Specialisation) -> Variant:
        self._progress("reading the model")
        graph, signature = needed.read()
        return compiled_variant(graph, self.target, self.dtype, signature, self._progress, self.allow_host)


def compiled_variant(
    graph: Graph,
    target: Target,
    dtype: str,
    signature: Signature | None,
    progress: Callable[[str], None],
    allow_host: Collection[str] = (),
    earlier: Mapping[str, Graph] | None = None,
) -> Variant:
    """A graph compiled, with what it was after each stage; `earlier` stages led to the graph itself."""
    stages = dict(earlier or {})

    def observe(name: str, seen: Graph) -> None:
        progress(name)
        if seen is not graph or not earlier:
            stages[_unused(name, stages)] = seen

    build = compile_graph(graph, target, dtype, observe, allow_host)
    derivations = build.derivations
    executable = Executable(build.program, str(derivations), build.weights, literals(derivations))
    return Variant(build, executable, stages, signature)


def _no_form(unbound: list[str], undecided: list[str]) -> str:
    if undecided:
        names = ", ".join(undecided)
        return f"the model has no static form yet: the values of {names} decide shapes; run it once with them"
    if not unbound:
        return "the model has no static form yet: give args when compiling, or run it once"
    flags = " ".join(f"{name}=..." for name in unbound)
    return f"the model has no static form yet: bind its sizes (--length {flags}; lengths=... in Python), or run it once"


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or name-2, name-3 for a pass that runs again."""
    number = 2
    unused = name
    while unused in taken:
        unused = f"{name}-{number}"
        number += 1
    return unused


def _without_random(inputs: Inputs) -> tuple[Inputs, dict[str, Any]]:
    """The inputs that the model itself takes, and the random ones."""
    if not isinstance(inputs, Mapping):
        return inputs, {}
    random = {name: item for name, item in inputs.items() if isinstance(name, str) and random_kind(name)}
    return {name: item for name, item in inputs.items() if name not in random}, random
