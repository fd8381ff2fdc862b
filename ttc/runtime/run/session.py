"""`Session`: a model's programs on a device, ready to run again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np

from ttc.calls.call import Call, spec_of
from ttc.calls.host import HostOp
from ttc.calls.loop import Loop
from ttc.errors import InputError
from ttc.ir import Const, Input, Spec, Value, Weights
from ttc.ir.operands import gather_operands
from ttc.ir.state import state_name
from ttc.runtime.run.buckets import Bucket, choose, true_lengths
from ttc.runtime.run.convert import bind_inputs, from_device, generator, to_device
from ttc.runtime.run.device import Device, Tensor
from ttc.runtime.run.host import run_on_host
from ttc.runtime.run.plan import Plan, Step, call_at, plan
from ttc.runtime.run.program import Program

Observer = Callable[[int, Call, dict[str, Any], tuple[Tensor, ...]], None]
"""Called after each call of a run, with the call's position among the program's nodes, the call, operands and results.

A loop counts as one call; the calls of its body are not reported."""


@dataclass(frozen=True)
class _Loaded:
    """A program that is set up on a device: its plan, and the tensors that runs share (`kept`: constants and set-up).

    `copied` are the outputs that are inputs, by name.
    """

    program: Program
    plan: Plan
    kept: dict[Value, Tensor]
    copied: dict[str, str]


class Session:
    """The programs of one model on one device; a run takes the smallest bucket that its lengths fit into.

    A program's weights are uploaded, and calls of weights alone are run, once: at set-up where there is one bucket,
    else when a run first needs the bucket. Threads take turns. InputError if a weight has no data or another shape
    than the program's.
    """

    def __init__(self, buckets: Sequence[Bucket], weights: Weights, device: Device):
        self.device = device
        self._buckets, self._weights = buckets, weights
        self._turn = RLock()
        self._loaded: dict[int, _Loaded] = {}
        if len(buckets) == 1:
            self._loaded[0] = self._load(self.program)
        self.reset()

    @property
    def program(self) -> Program:
        """Return the program of the largest bucket."""
        return self._buckets[-1].program

    def run(self, inputs: Any, observer: Observer | None = None, seed: int | None = None) -> dict[str, np.ndarray]:
        """Run the model; return outputs by name, cut to true lengths, in the declared dtypes (bfloat16 as float32).

        `inputs` are a mapping by name, a sequence in order, or one array. InputError names a wrong one, and a length
        that is too large. Random inputs that are not given are drawn from `seed` for this run alone, else from where
        `reset` and earlier runs have left.
        """
        if observer is not None and not callable(observer):
            raise InputError(f"an observer is called after each call of a run; {type(observer).__name__} cannot be")
        with self._turn:
            random = self._random if seed is None else generator(seed)
            named, lengths = true_lengths(self._buckets[-1], inputs)
            number = choose(self._buckets, lengths)
            bucket = self._buckets[number]
            if number not in self._loaded:
                self._loaded[number] = self._load(bucket.program)
            given = bind_inputs(bucket.program, bucket.bound(named, lengths, random))
            return bucket.trimmed(self._outputs(self._loaded[number], given, observer), lengths)

    def reset(self, seed: int = 0) -> None:
        """Return to the initial state; random inputs that a run is not given are drawn from `seed` on."""
        with self._turn:
            self._random = generator(seed)
            self._states: dict[str, tuple[Tensor, Spec]] = {}

    def state(self) -> dict[str, np.ndarray]:
        """Return the state that runs have left, or the initial one: arrays by name, in the model's own dtypes."""
        with self._turn:
            declared, found = dict(self.program.inputs), {}
            for name, value in self.program.graph.states.items():
                numbers = self.device.download(self._state(name, value), spec_of(value))
                found[name] = from_device(numbers, declared[name])
            return {str(state_name(name)): array for name, array in found.items()}

    def _load(self, program: Program) -> _Loaded:
        """Set a program up: upload its weights, run the calls that depend on them alone."""
        steps = plan(program.graph)
        kept = {v: self._upload_weight(v.op.ref, v) for v in steps.constants if isinstance(v.op, Const)}
        self._execute(steps.setup, kept, None)
        states = program.graph.states
        outputs = [(name, value.op) for name, value in program.graph.outputs]
        copied = {name: op.name for name, op in outputs if isinstance(op, Input) and op.name not in states}
        return _Loaded(program, steps, kept, copied)

    def _upload_weight(self, ref: str, value: Value) -> Tensor:
        array = self._weights.read(ref)
        if array.size != value.type.numel:
            raise InputError(f"weight {ref!r} has shape {list(array.shape)}, the program wants {value.type}")
        return self.device.upload(array, spec_of(value))

    def _state(self, name: str, value: Value) -> Tensor:
        """Return a state as a program takes it: what the run before has left, or the initial numbers."""
        if name not in self._states:
            return self._upload_weight(name, value)
        tensor, spec = self._states[name]
        if spec == spec_of(value):
            return tensor
        return self.device.upload(self.device.download(tensor, spec), spec_of(value))  # another bucket has left it

    def _keep_states(self, program: Program, tensors: dict[Value, Tensor]) -> None:
        """Let the input of each state take the tensor of its output, for the next run."""
        states = ((name, value) for name, value in program.graph.outputs if state_name(name) is not None)
        self._states = {name: (tensors[value], spec_of(value)) for name, value in states}

    def _outputs(
        self, loaded: _Loaded, given: dict[str, np.ndarray], observer: Observer | None
    ) -> dict[str, np.ndarray]:
        """Return the outputs of a program for inputs of the declared types."""
        tensors = dict(loaded.kept)
        for name, value in loaded.plan.inputs:
            if state_name(name) is not None:
                tensors[value] = self._state(name, value)
            else:
                spec = spec_of(value)
                tensors[value] = self.device.upload(to_device(name, given[name], spec), spec)
        self._execute(loaded.plan.steps, tensors, observer)
        self._keep_states(loaded.program, tensors)
        declared, copied = dict(loaded.program.outputs), loaded.copied
        outputs: dict[str, np.ndarray] = {}
        for name, value in loaded.program.graph.outputs:
            if state_name(name) is not None:
                continue
            if name in copied:
                outputs[name] = from_device(given[copied[name]].copy(), declared[name])
            else:
                outputs[name] = from_device(self.device.download(tensors[value], spec_of(value)), declared[name])
        return outputs

    def _execute(
        self, steps: Iterable[Step], tensors: dict[Value, Tensor], observer: Observer | None, turn: int = 0
    ) -> None:
        """Run calls in order, those of a loop's body as they are in its `turn`-th step."""
        for step in steps:
            call = call_at(step.call, turn)
            operands = gather_operands(call, tensors.__getitem__)
            match call:
                case Loop():
                    results = self._loop(call, step.inner, tensors)
                case HostOp():
                    results = run_on_host(call, operands["operand"], self.device)
                case _:
                    results = self.device.run(call, operands)
            tensors.update(zip(step.results, results, strict=True))
            if observer:
                observer(step.index, call, operands, results)
            for value in step.releases:
                del tensors[value]
            del operands, results

    def _loop(self, loop: Loop, steps: tuple[Step, ...], tensors: dict[Value, Tensor]) -> tuple[Tensor, ...]:
        """Run a loop; return its results, which its inputs hold after the last step."""
        given = [tensors[value] for value in loop.operands()]
        first = len(loop.carried)
        skipped = first + len(loop.scanned)
        written = [*range(first), *range(skipped, skipped + len(loop.stacked))]
        for turn in range(loop.count):
            inner = dict(zip(loop.body.inputs, given, strict=True))
            self._execute(steps, inner, None, turn)
            for position, (_, value) in zip(written, loop.body.outputs, strict=True):
                given[position] = inner[value]
        return tuple(given[position] for position in written)
