"""`Session`: a program on a device, ready to run again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any

import numpy as np

from ttc.calls.call import Call, spec_of
from ttc.calls.host import HostOp
from ttc.calls.loop import Loop
from ttc.errors import InputError
from ttc.ir import Const, Input, Value, Weights
from ttc.runtime.convert import bind_inputs, from_device, generator, to_device
from ttc.runtime.device import Device, Tensor, gather_operands
from ttc.runtime.host import run_on_host
from ttc.runtime.plan import Step, call_at, plan
from ttc.runtime.program import Program

Observer = Callable[[int, Call, dict[str, Any], tuple[Tensor, ...]], None]
"""Called after each call of a run: its position among the program's nodes, it, its operands, its results.

A loop counts as one call; what its body computes in between is not reported."""


class Session:
    """Uploads the weights and runs what depends on them alone, once; `run` does the rest. Threads take turns.

    InputError if a weight has no data or another shape than the program's.
    """

    def __init__(self, program: Program, weights: Weights, device: Device):
        self.program, self.device = program, device
        self._turn = RLock()
        self._plan = plan(program.graph)
        self._kept = {value: self._upload_weight(value, weights) for value in self._plan.constants}
        self._execute(self._plan.setup, self._kept, None)
        self.reset()
        self._passed = {name: v.op.name for name, v in program.graph.outputs if isinstance(v.op, Input)}

    def run(self, inputs: Any, observer: Observer | None = None, seed: int | None = None) -> dict[str, np.ndarray]:
        """The outputs by name, in the dtypes that the model declares (bfloat16 as float32).

        `inputs` are a mapping by name, a sequence in order, or one array. InputError names a wrong one. Random inputs
        that are not given are drawn from `seed` for this run alone, else from where `reset` and earlier runs have left.
        """
        if observer is not None and not callable(observer):
            raise InputError(f"an observer is called after each call of a run; {type(observer).__name__} cannot be")
        with self._turn:
            given = bind_inputs(self.program, inputs, self._random if seed is None else generator(seed))
            return self._outputs(given, observer)

    def _outputs(self, given: dict[str, np.ndarray], observer: Observer | None) -> dict[str, np.ndarray]:
        """The outputs for inputs of the declared types."""
        tensors = dict(self._kept)
        for name, value in self._plan.inputs:
            spec = spec_of(value)
            tensors[value] = self.device.upload(to_device(name, given[name], spec), spec)
        self._execute(self._plan.steps, tensors, observer)
        declared = dict(self.program.outputs)
        outputs: dict[str, np.ndarray] = {}
        for name, value in self.program.graph.outputs:
            if name in self._passed:
                outputs[name] = from_device(given[self._passed[name]].copy(), declared[name])
            else:
                outputs[name] = from_device(self.device.download(tensors[value], spec_of(value)), declared[name])
        return outputs

    def reset(self, seed: int = 0) -> None:
        """Forget the state that runs have left; random inputs that a run is not given are drawn from `seed` on."""
        with self._turn:
            self._random = generator(seed)

    def state(self) -> dict[str, np.ndarray]:
        """The state that runs have left, by name; programs keep none so far."""
        return {}

    def _upload_weight(self, value: Value, weights: Weights) -> Tensor:
        assert isinstance(value.op, Const)
        array = weights.read(value.op.ref)
        if array.size != value.type.numel:
            raise InputError(f"weight {value.op.ref!r} has shape {list(array.shape)}, the program wants {value.type}")
        return self.device.upload(array, spec_of(value))

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
        """The results of a loop: what its inputs hold after the last step."""
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
