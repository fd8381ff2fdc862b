"""`Session`: a model's programs on a device, ready to run again and again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import Any
from weakref import finalize

import numpy as np

from ttc.errors import InputError
from ttc.ir import Weights
from ttc.ir.state import state_name
from ttc.runtime.run.buckets import Bucket, Lengths, choose, true_lengths
from ttc.runtime.run.convert import bind_inputs, generator
from ttc.runtime.run.device import Device
from ttc.runtime.run.kept import Kept, Staying
from ttc.runtime.run.loaded import Loaded, Output, Uploaded
from ttc.runtime.run.program import Program
from ttc.runtime.run.states import States
from ttc.runtime.run.steps import Observer
from ttc.runtime.run.traced import FixedStates, Traced, TracingDevice, why_not

Outputs = Callable[[], dict[str, Any]]
"""A run that was started: called, it waits for the run's outputs."""


class Session:
    """The programs of one model on one device; a run takes the smallest bucket that its lengths fit into.

    A program's weights are uploaded, and calls of weights alone are run, once: at set-up where there is one bucket,
    else when a run first needs the bucket; what several buckets read is uploaded for the first of them. Threads take
    turns. Close a session, or use it as a context manager, to give its card back. InputError if a weight has no data or
    another shape than the program's.

    `trace_sizes` are the bytes that the trace of each program may take on a card, empty for a session without traces.
    `eager` says why runs are not traced; None if they are: the first run of a program then warms up, later ones replay.
    `taken` is the bucket that the latest run took, before the first one the largest.
    """

    def __init__(self, buckets: Sequence[Bucket], weights: Weights, device: Device, trace_sizes: Sequence[int] = ()):
        self.device = device
        self._buckets, self._weights, self._sizes = buckets, weights, trace_sizes
        self.taken = buckets[-1]
        self._card = device if isinstance(device, TracingDevice) else None
        self._turn = self._card.queues.turn if self._card else RLock()
        self.eager = _why_eager(self._card, buckets, trace_sizes)
        self._loaded: dict[int, Loaded] = {}
        self._uploaded: Uploaded = {}
        self._traced: dict[int, Traced] = {}
        traces = self._card if self.eager is None else None
        self._states = FixedStates(weights, traces, self.program) if traces else States(weights, device)
        self._closing = finalize(self, _leave, self._card, self._loaded, self._uploaded, self._traced, self._states)
        with self._at_device():
            self._let_allocate()
            if isinstance(self._states, FixedStates):
                self._states.allocate()
            if len(buckets) == 1:
                self._load(0)
            self.reset()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release traces and tensors, and leave the device; the session cannot run any more."""
        self._closing()

    @property
    def program(self) -> Program:
        """Return the program of the largest bucket."""
        return self._buckets[-1].program

    def run(
        self, inputs: Any, observer: Observer | None = None, seed: int | None = None, keep: Collection[str] = ()
    ) -> dict[str, Any]:
        """Run the model; return outputs by name, cut to true lengths, in the declared dtypes (bfloat16 as float32).

        The outputs that `keep` names stay on the device, each as a `Kept`, which a session of another program there
        takes as an input; all others are arrays.

        `inputs` are a mapping by name, a sequence in order, or one array. InputError names a wrong one, and a length
        that is too large. Random inputs that are not given are drawn from `seed` for this run alone, else from where
        `reset` and earlier runs have left. A run with an observer is not traced.
        """
        if observer is not None and not callable(observer):
            raise InputError(f"an observer is called after each call of a run; {type(observer).__name__} cannot be")
        with self._at_device():
            return self._start(inputs, observer, seed, keep)()

    def stream(self, inputs: Iterable[Any]) -> Iterator[dict[str, np.ndarray]]:
        """Run the model on the inputs of each run, as they come; yield the outputs of each, in order.

        On a card that traces, the inputs of a run are written while the run before computes.
        """
        before: Outputs | None = None
        for item in inputs:
            with self._at_device():
                started = self._start(item)
                found = before() if before else None
            if found is not None:
                yield found
            before = started
        if before:
            with self._at_device():
                found = before()
            yield found

    def reset(self, seed: int = 0) -> None:
        """Return to the initial state; random inputs that a run is not given are drawn from `seed` on."""
        with self._at_device():
            self._require_open()
            self._random = generator(seed)
            self._states.reset()

    def state(self) -> dict[str, np.ndarray]:
        """Return the state that runs have left, or the initial one: arrays by name, in the model's own dtypes."""
        with self._at_device():
            self._require_open()
            return self._states.arrays(self.program)

    def _start(
        self, inputs: Any, observer: Observer | None = None, seed: int | None = None, keep: Collection[str] = ()
    ) -> Outputs:
        """Start a run."""
        self._require_open()
        _require_outputs(self.program, keep)
        random = self._random if seed is None else generator(seed)
        named, lengths = true_lengths(self._buckets[-1], inputs)
        number = choose(self._buckets, lengths, named)
        bucket = self.taken = self._buckets[number]
        given = bind_inputs(bucket.program, bucket.bound(named, lengths, random))
        if self._card and self.eager is None and observer is None:
            outputs = self._trace(number, self._card).start(given, keep)
            return lambda: self._given_back(number, outputs(), lengths)
        self._let_allocate()
        found = self._given_back(number, self._load(number).run(given, self._states, observer, keep), lengths)
        return lambda: found

    def _given_back(self, number: int, outputs: Mapping[str, Output], lengths: Lengths) -> dict[str, Any]:
        """Return what users get of a run: arrays without padding, and what stays on the device."""
        bucket, loaded = self._buckets[number], self._loaded[number]
        types = dict(bucket.program.outputs)

        def kept(name: str, item: Staying) -> Kept:
            def read(staying: Staying) -> np.ndarray:
                with self._at_device():
                    return bucket.trimmed(name, loaded.read(name, staying), lengths)

            staying = item._replace(current=lambda: item.current() and self._closing.alive)
            return Kept(name, types[name], bucket.valid_sizes(name, lengths), staying, self.device, read)

        return {
            name: bucket.trimmed(name, item, lengths) if isinstance(item, np.ndarray)
            else kept(name, item) if isinstance(item, Staying)
            else item
            for name, item in outputs.items()
        }  # fmt: skip

    @contextmanager
    def _at_device(self) -> Iterator[None]:
        """Take the session's turn, in the device's scope."""
        with self._turn, self.device.scope():
            yield

    def _require_open(self) -> None:
        if not self._closing.alive:
            raise InputError("the session is closed: open another one")

    def _load(self, number: int) -> Loaded:
        if number not in self._loaded:
            self._loaded[number] = Loaded(self._buckets[number].program, self._weights, self.device, self._uploaded)
        return self._loaded[number]

    def _trace(self, number: int, card: TracingDevice) -> Traced:
        if number not in self._traced:
            self._let_allocate()
            self._traced[number] = Traced(self._load(number), card, self._states, self._sizes[number])
        return self._traced[number]

    def _let_allocate(self) -> None:
        if self._card:
            self._card.queues.release_all()


def _require_outputs(program: Program, names: Collection[str]) -> None:
    known = [name for name, _ in program.outputs if state_name(name) is None]
    for name in names:
        if name not in known:
            raise InputError(f"there is no output {name!r} to keep; the program gives {', '.join(known) or 'none'}")


def _why_eager(card: TracingDevice | None, buckets: Sequence[Bucket], sizes: Sequence[int]) -> str | None:
    if card is None:
        return "the device records no traces"
    return why_not(buckets, sizes, card.queues.region) if sizes else "no trace was asked for"


def _leave(
    card: TracingDevice | None,
    loaded: dict[int, Loaded],
    uploaded: Uploaded,
    traced: dict[int, Traced],
    states: States,
) -> None:
    """Drop what a session has on its device, and leave a card."""
    with card.queues.turn if card else nullcontext():
        for each in traced.values():
            each.release()
        traced.clear()
        loaded.clear()
        uploaded.clear()
        states.drop()
        if card:
            card.leave()
