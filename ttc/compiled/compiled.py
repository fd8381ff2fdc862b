"""`Compiled`: what `ttc.compile` returns, programs for each static form that the model is called in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ttc.calls.fidelity import fidelity_named
from ttc.calls.target import target_named
from ttc.compiled.executable import Executable
from ttc.compiled.lengths import LengthReader
from ttc.errors import InputError, TtcError, enough_memory
from ttc.guard.files import as_path, check_output
from ttc.ir import DType, Graph, print_graph
from ttc.pipeline import STAGES, Build, Options, all_refusals, compile_graph, dtype_named, every_stage, in_one_memory
from ttc.runtime.run.buckets import Bucket
from ttc.sources import Inputs, Source

if TYPE_CHECKING:
    from ttc.analysis.report import Report
    from ttc.dtype_policy.choice import Choice
    from ttc.runtime.run.session import Session

Form = tuple[Build, Executable]
"""A static form of the model, compiled: what runs, and how its program came about (of several buckets the largest)."""


class Compiled:
    """A model compiled for one card. Forms that are not known yet are compiled when a call first needs them.

    With several sizes of its `lengths` a model has one form, of a bucket for each size. What is shown, saved or given a
    session is the form that `compile` was asked for, where lengths or example arguments say one; else the first that a
    call needed. Later calls in other forms change nothing of that. Threads take turns.
    """

    def __init__(
        self,
        source: Source,
        options: Options,
        lengths: Mapping[str, Sequence[int]] | None = None,
        progress: Callable[[str], None] | None = None,
        reader: LengthReader | None = None,
    ):
        self.options = options
        self._source, self._progress = source, progress or (lambda what: None)
        self._lengths = {name: sizes for name, sizes in (lengths or {}).items() if len(sizes) > 1}
        self._reader = reader  # of several sizes of a length; it keeps what it read, for variants
        self._forms: dict[int, Form] = {}
        self._shown: Form | None = None
        self.choice: Choice | None = None  # of the dtypes of weights, where ttc chose them
        self._turn = RLock()
        self._progress("reading the model")
        with self._compiling():
            graph = source.at({})
            if graph is not None or self._lengths:
                self._form(graph)

    def __repr__(self) -> str:
        what = "in the form of the first call"
        if self._shown:
            program = self._shown[1].program
            sides = (", ".join(f"{name} {type}" for name, type in side) for side in (program.inputs, program.outputs))
            what = " -> ".join(sides)
        return f"<Compiled for {self.options.target.name} in {self.options.dtype}: {what}>"

    # ------------------------------------------------------------ running

    def run(
        self, inputs: Inputs, device: str | None = None, mode: str = "exact", seed: int = 0
    ) -> dict[str, np.ndarray]:
        """Return outputs by name from inputs by name, in order, or one array; from zero state.

        `device` is "emulator" or "ttnn" (default: a real card if there is one), `mode` the emulator's
        numerics, "exact" or "tensix". Outputs have the model's dtypes, bfloat16 as float32.
        What the model draws at random are inputs of the program too (`random.normal.0`): `seed` draws those not given.
        With several sizes of a length inputs may have any up to the largest (InputError beyond it), and in a batch the
        true length of each sample may be given under the length's own name.
        """
        if self._lengths:
            return self.executable.run(inputs, device, mode, seed)
        with self._compiling():
            graph, named = self._source.for_inputs(inputs)
            _, executable = self._form(graph)
        return executable.run(named, device, mode, seed)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model as its own framework does: torch tensors out, in the module's own structure; from zero state.

        Tensors that a module changes in place are changed.
        """
        if self._lengths:
            executable, graph = self.executable, self.build.imported
            named = self._source.inputs_of(graph, args, kwargs)
        else:
            with self._compiling():
                graph, named = self._source.for_call(args, kwargs)
                _, executable = self._form(graph)
        return self._source.outputs_of(graph, executable.run(named), named)

    def build_for(self, *args: Any, **kwargs: Any) -> Build:
        """Return the build of the form that such a call needs, compiled now if it is new."""
        with self._compiling():
            graph, _ = self._source.for_call(args, kwargs)
            return self._form(graph)[0]

    def session(self, device: str | None = None, mode: str = "exact", trace: bool = True) -> Session:
        """Open a session of its own state on the form shown; on a card its runs are traced, unless `trace` is false."""
        return self.executable.session(device, mode, trace)

    def variant(
        self, *, target: str | None = None, dtype: Any = None, weight_dtypes: Mapping[str, DType] | None = None
    ) -> Compiled:
        """Compile the same model for another card, or in other number formats, without reading the model again.

        A stated fidelity stays, and must be one of the new card's; so do dtypes of weights by name, unless there are a
        new dtype or new ones. InputError for names that are not known.
        """
        options = self.options
        if weight_dtypes is None:
            weight_dtypes = options.weight_dtypes if dtype is None else {}
        card = options.target if target is None else target_named(target)
        passes = None if options.fidelity is None else fidelity_named(options.fidelity, card)
        named = options.dtype if dtype is None else dtype_named(dtype)
        options = replace(options, target=card, dtype=named, fidelity=passes, weight_dtypes=weight_dtypes)
        if options == self.options:
            return self
        with every_stage(options), self._turn:
            return Compiled(self._source, options, self._lengths, self._progress, self._reader)

    # ------------------------------------------------------------ looking

    @property
    def stages(self) -> tuple[str, ...]:
        """List the stages whose text differs from the one before: import, passes, lower, backend passes."""
        return tuple(self.build.stages)

    def dump(self, stage: str) -> str:
        """Return the program's text after a stage, each line with its location in the model.

        InputError with the stages' names for an unknown one.
        """
        stages = self.build.stages
        if not isinstance(stage, str) or stage not in stages:
            raise InputError(f"no stage is called {stage!r}; this model has {', '.join(stages)}")
        return print_graph(stages[stage], locations=True)

    def after(self, name: str) -> str:
        """Return the program's text after a pass, changed or not; InputError for an unknown pass."""
        if name not in STAGES:
            raise InputError(f"no pass is called {name!r}; in order they are {', '.join(STAGES)}")
        until = STAGES[: STAGES.index(name) + 1]
        return self.dump(next(stage for stage in reversed(self.stages) if stage.partition("-")[0] in until))

    @property
    def build(self) -> Build:
        """Return the form shown with what it was lowered from: for comparing the two step by step."""
        return self._the_form()[0]

    @property
    def executable(self) -> Executable:
        """Return the executable of the form shown."""
        return self._the_form()[1]

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Return a program with its masks for each size of the lengths, the largest last; one at an exact size."""
        return self.executable.buckets

    @property
    def source(self) -> str:
        """Return the program as a stand-alone Python file of TTNN calls."""
        return self.executable.source

    @property
    def report(self) -> Report:
        """Report counts, bytes, peaks and predicted time; `.to_dict()` is JSON-able."""
        return self.executable.report

    @property
    def known(self) -> bool:
        """Return whether there is a form already."""
        return self._shown is not None

    @property
    def files(self) -> Collection[Path]:
        """List the files that the model is read from."""
        return self._source.files

    def save(self, path: str | PathLike[str]) -> None:
        """Write the form shown as a `.ttc` artifact, whole or not at all, and never over the model's own files."""
        check_output(as_path(path), self.files)
        self.executable.save(path, self._progress)

    # ------------------------------------------------------------ forms

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """Let one thread at a time read and compile; a refusal tells what all stages refuse."""
        with every_stage(self.options), enough_memory("compiling this model"), self._turn:
            yield

    def _the_form(self) -> Form:
        if self._shown is None:
            raise self._no_form()
        return self._shown

    def _no_form(self) -> TtcError:
        """Return what is missing for a form, or every refusal where values of inputs are not all that is missing."""
        needs = self._source.needs()
        if needs is None:
            return TtcError(_not_bound(self._source.unbound()))
        found = all_refusals(needs, self.options)
        names = ", ".join(needs.names)
        sentence = f"the model has no static form yet: the values of {names} decide shapes; run it once with them"
        return TtcError(sentence) if found is needs and needs.alone else found

    def _form(self, graph: Graph | None) -> Form:
        """Return the form of a graph that the source gave, compiled now if it is new."""
        if id(graph) not in self._forms:
            builds = in_one_memory(self._builds(graph))
            self._forms[id(graph)] = builds[-1], Executable.of(builds)
        self._shown = self._shown or self._forms[id(graph)]
        return self._forms[id(graph)]

    def _builds(self, graph: Graph | None) -> list[Build]:
        """Return a build for each bucket, the largest last."""

        def observe(stage: str, after: Graph) -> None:
            self._progress(stage)

        if graph is not None and not self._lengths:
            return [compile_graph(graph, self.options, observe)]
        reader = self._reader = self._reader or LengthReader(self._source, self._lengths, self._progress)
        builds = [
            compile_graph(reader.at(sizes), self.options, observe, partial(reader.readings, sizes))
            for sizes in reversed(reader.buckets)
        ]
        return [build.taking(reader.least) for build in reversed(builds)]


def _not_bound(unbound: list[str]) -> str:
    if not unbound:
        return "the model has no static form yet: give args when compiling, or run it once"
    flags = " ".join(f"{name}=..." for name in unbound)
    return f"the model has no static form yet: bind its sizes (--length {flags}; lengths=... in Python), or run it once"
