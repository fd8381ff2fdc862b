"""`ModuleProgram`: a module compiled for calls of one signature, and where the program's weights are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from ttc.acceleration.watched import Impure
from ttc.analysis.timeline import timeline
from ttc.calls.call import spec_of
from ttc.calls.target import target_named
from ttc.compiled.chain_session import moved
from ttc.compiled.compiled import Compiled
from ttc.compiled.executable import Executable
from ttc.ir import Weight, Weights
from ttc.ir.random import random_kind
from ttc.ir.state import state_name
from ttc.pipeline import Build, Options
from ttc.runtime.run.device import Device
from ttc.runtime.run.memory import require_memory
from ttc.runtime.run.plan import plan
from ttc.runtime.run.program import Program
from ttc.runtime.run.session import Session
from ttc.sources.torch_source import ModuleSource


class ModuleProgram:
    """A module's program for calls of one structure, with tensors of these shapes and dtypes, and these constants.

    `preprocess` derives the weights from the module's own, once, and keeps them on the host; `to_device` uploads them,
    `to_host` frees the device's.
    """

    def __init__(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Options):
        self._source = ModuleSource(module, None, {}, {})
        build = Compiled(self._source, options).build_for(*args, **kwargs)
        _require_pure(type(module).__name__, build)
        self._graph = build.imported
        self.executable = Executable.of([build])
        self._session: Session | None = None
        self.ready = False
        bucket = self.executable.buckets[0]
        self.uploaded, self.downloaded = moved(bucket, {}, ())
        self.ops, self.resident_bytes = _ops(bucket.program), resident_bytes(bucket.program)

    def preprocess(self) -> None:
        """Compute the weights and keep them on the host."""
        if not self.ready:
            held = Weights({ref: _held(weight) for ref, weight in self.executable.weights.items()})
            self.executable, self.ready = replace(self.executable, weights=held), True

    def to_device(self, opened: Callable[[], Device], emulated: bool) -> None:
        """Upload the weights, unless they are there, to the device that `opened` gives for one more session."""
        if self._session is None:
            self.preprocess()
            require_memory(self.executable.program, emulated)
            self._session = self.executable.session_on(opened(), trace=False)

    def to_host(self) -> None:
        """Free the weights on the device; the host has them still."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @property
    def on_device(self) -> bool:
        """Return whether the weights are on the device."""
        return self._session is not None

    @property
    def host_bytes(self) -> int:
        """Return the bytes of the weights that are ready on the host."""
        weights = self.executable.weights
        return sum(weight.read().nbytes for weight in weights.values() if weight.read) if self.ready else 0

    @property
    def device_bytes(self) -> int:
        """Return the bytes that the weights take on the device, once they are there."""
        return self.resident_bytes if self.on_device else 0

    def run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run on the device, where the weights are; return the outputs in the module's own structure."""
        assert self._session is not None
        named = self._source.inputs_of(self._graph, args, kwargs)
        return self._source.outputs_of(self._graph, self._session.run(named), named)


def resident_bytes(program: Program) -> int:
    """Return the bytes of the weights that stay on the device from run to run."""
    steps = plan(program.graph)
    released = {value for step in steps.setup for value in step.releases}
    made = (value for step in steps.setup for value in step.results)
    return sum(spec_of(value).stored_bytes for value in {*steps.constants, *made} - released)


def _held(weight: Weight) -> Weight:
    """Read a weight now, once."""
    assert weight.read is not None
    array = weight.read()
    return Weight(weight.type, lambda: array)


def _require_pure(name: str, build: Build) -> None:
    """Refuse a program whose calls depend on more than arguments, or leave more than results."""
    reasons = []
    if states := build.program.graph.states:
        kept = ", ".join(str(state_name(state)) for state in states)
        reasons.append((name, f"its forward changes its buffer {kept}, which the host's module would not see"))
    if any(random_kind(own) for own, _ in build.program.inputs):
        reasons.append((name, "its forward draws random numbers, from a generator of torch's that is on the host"))
    if reasons:
        raise Impure(reasons)


def _ops(program: Program) -> dict[str, tuple[int, float]]:
    """Return the number of calls of each kind in one run, and their predicted seconds."""
    count: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for moment in timeline(program.graph, target_named(program.target)):
        count[moment.node.op.mnemonic] += 1
        seconds[moment.node.op.mnemonic] += moment.seconds  # pyright: ignore[reportArgumentType] (sums of floats)
    return {name: (count[name], seconds[name]) for name in count}
