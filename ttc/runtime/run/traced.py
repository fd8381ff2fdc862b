"""Traced runs: a card records the commands of one run, and later runs replay them on the same tensors.

The host takes no part in a replay, so the replay costs the card's time alone; but the addresses are fixed. The first
run of a program warms up: it runs call by call, on the tensors that inputs will always be written to and with those
that results will always be copied to, and TTNN makes and keeps its device programs. The second is captured, and from
then on runs are replays. A buffer that lasts and is allocated after a capture may lie where the trace has intermediate
results, and a replay writes over it; therefore a card releases all its traces before anything is loaded or run call by
call, and the next runs capture again. What a capture itself allocates is free again at its end.

Each input has two tensors. Queue 1 writes the one while queue 0 computes from the other:

    queue 1    write inputs of run 2             write inputs of run 3
    queue 0    run 1 ...             | copy in | run 2 ...             | copy in | run 3 ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from ttc.calls.call import spec_of
from ttc.ir import DRAM, HOST, Spec, Weights
from ttc.ir.state import state_name
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.convert import Given, to_device
from ttc.runtime.run.device import Device, Tensor
from ttc.runtime.run.kept import Kept, Staying
from ttc.runtime.run.loaded import Loaded, Output
from ttc.runtime.run.program import Program
from ttc.runtime.run.queues import Queues
from ttc.runtime.run.states import Left, States, initial


@runtime_checkable
class TracingDevice(Device, Protocol):
    """A device that several sessions share, and that can record runs."""

    queues: Queues

    def empty(self, spec: Spec) -> Tensor:
        """Allocate a tensor."""
        ...

    def on_host(self, array: np.ndarray, spec: Spec) -> Tensor:
        """Make a tensor in the host's memory, in the form of `spec`."""
        ...

    def leave(self) -> None:
        """Give the device back."""
        ...


def why_not(buckets: Sequence[Bucket], sizes: Sequence[int], region: int) -> str | None:
    """Explain why runs of these programs cannot be traced in a region of this size; None if all can."""
    for bucket in buckets:
        graph = bucket.program.graph
        given = [spec_of(value) for value in graph.inputs]
        if any(spec.memory != DRAM for spec in given) or any(spec_of(v).memory == HOST for _, v in graph.outputs):
            return "an input or an output is not in the card's DRAM"
    if not all(sizes):
        return "the host does some of the ops"
    first = _states(buckets[0].program)
    if any(_states(bucket.program) != first for bucket in buckets):
        return "its programs hold states in different forms"
    if max(sizes) > region:
        return f"a trace may take {max(sizes):,} B, and another session opened the card with a region of {region:,} B"
    return None


def _states(program: Program) -> dict[str, Spec]:
    return {name: spec_of(value) for name, value in program.graph.states.items()}


@dataclass
class _Run:
    """A run's inputs, which of its outputs stay on the card, and its outputs once they are read."""

    given: dict[str, Given]
    keep: Collection[str]
    outputs: dict[str, Output] | None = None


class Traced:
    """A loaded program whose runs, from the second on, replay one trace of about `size` bytes."""

    def __init__(self, loaded: Loaded, device: TracingDevice, states: States, size: int):
        self.loaded, self._device, self._states, self._size = loaded, device, states, size
        self._queues = device.queues
        given = [(name, spec_of(value)) for name, value in loaded.inputs if state_name(name) is None]
        self._specs = dict(given)
        self._fed = {name: device.empty(spec) for name, spec in given}
        self._read = {name: device.empty(spec) for name, spec in given}
        self._results = {
            name: device.empty(replace(spec_of(value), memory=DRAM)) for name, value in loaded.results.items()
        }
        self._warm = False
        self._unread: _Run | None = None
        self._last: _Run | None = None

    def start(self, given: dict[str, Given], keep: Collection[str] = ()) -> Callable[[], dict[str, Output]]:
        """Start a run for inputs of the declared types; return a function that waits for its outputs.

        The inputs are written while the run before computes. What `keep` names stays on the card until the next run.
        """
        device, queues = self._device, self._queues
        sources = {name: self._source(name, given[name]) for name in self._specs}
        fed = [(device.on_host(to_device(n, x, self._specs[n]), self._specs[n]), sources[n])
               for n, x in given.items() if n in sources and not isinstance(x, Kept)]  # fmt: skip
        queues.feed(fed)
        self._read_last()
        queues.take([(source, self._read[name]) for name, source in sources.items()])
        if self._warm:
            queues.replay(self, self._compute, self._size)
        else:
            queues.release_all()
            self._compute()
            self._warm = True
        self._last = self._unread = _Run(given, keep)
        return partial(self._outputs, self._unread)

    def _source(self, name: str, item: Given) -> Tensor:
        """Return the tensor that an input is copied from."""
        return item.as_input(name, self._specs[name], self._device) if isinstance(item, Kept) else self._fed[name]

    def release(self) -> None:
        """Read what is not read yet, and release the trace."""
        self._read_last()
        self._queues.release(self)

    def _read_last(self) -> None:
        if self._unread is not None:
            self._outputs(self._unread)

    def _outputs(self, run: _Run) -> dict[str, Output]:
        """Return the outputs of a run, read when they are first asked for, or before another run writes over them."""
        if run.outputs is None:
            left = {
                name: Staying(self._results[name], replace(spec_of(value), memory=DRAM), lambda: self._last is run)
                for name, value in self.loaded.results.items()
            }
            run.outputs = self.loaded.outputs(run.given, left, run.keep)
            self._unread = None
        return run.outputs

    def _compute(self) -> None:
        """Compute the results from the inputs and states, each in the tensors that stay."""
        given = {
            value: self._read[name] if name in self._read else self._states.before(name, value)
            for name, value in self.loaded.inputs
        }
        tensors = self.loaded.execute(given)
        for name, result in self._results.items():
            self._queues.copy(tensors[self.loaded.numbers[self.loaded.results[name]]], result)
        self._states.leave(self.loaded.left(tensors))


class FixedStates(States):
    """States in tensors that stay where they are, once allocated, which all programs of a session read and write."""

    def __init__(self, weights: Weights, device: TracingDevice, program: Program):
        super().__init__(weights, device)
        self._card, self._program = device, program
        self._initial: dict[str, tuple[np.ndarray, Spec]] = {}

    def allocate(self) -> None:
        """Upload the initial numbers."""
        states = self._program.graph.states.items()
        self._initial = {name: (initial(name, value, self._weights), spec_of(value)) for name, value in states}
        self._left = {n: Left(self._card.upload(array, spec), spec) for n, (array, spec) in self._initial.items()}

    def reset(self) -> None:
        """Write the initial numbers to where they were."""
        for name, (array, spec) in self._initial.items():
            self._card.queues.write(self._card.on_host(array, spec), self._left[name].tensor)

    def leave(self, left: Mapping[str, Left]) -> None:
        """Copy what a run leaves to where the next run reads; what lies in an input's tensor is set aside first."""
        moved = {name: item for name, item in left.items() if item.origin != name}
        tensors = {
            n: item.tensor if item.origin is None else self._card.queues.clone(item.tensor) for n, item in moved.items()
        }
        for name, tensor in tensors.items():
            self._card.queues.copy(tensor, self._left[name].tensor)
