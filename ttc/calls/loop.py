"""Loops on the device: the same calls once a step, on buffers that keep their addresses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

from ttc.calls.call import NO_PROGRAM, PLAIN_FLOATS, Call, Dispatch, Workspace, accept, buffer_of, spec_of
from ttc.calls.narrow import Narrow
from ttc.calls.shape import Slice
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal, TypeRuleError
from ttc.guard.budget import STEPS, within
from ttc.ir import DRAM, FORWARD, TILE, Body, DType, Input, Layout, MemoryConfig, Spec, Step, Value, Window, require


@dataclass(frozen=True)
class Loop(Call, name="loop"):
    """`body`, `count` times. Not a TTNN function: the host runs the calls of the body, step after step.

    The body's inputs are the operands in order: `carried`, `scanned`, `stacked`, `captured`. The body's outputs are
    the next step's carried values, then the stacked ones. The body reads `scanned[t]` (outermost dimension, `count`
    long) by `loop.take` and writes `stacked[t]` by `loop.put`. Every output lies in the buffer of its own input, so
    that all addresses are the same in every step; the results are the operands' buffers, which must be the loop's to
    write in.
    """

    _: KW_ONLY
    count: int
    carried: tuple[Value, ...] = ()
    scanned: tuple[Value, ...] = ()
    stacked: tuple[Value, ...] = ()
    captured: tuple[Value, ...] = ()
    body: Body
    positional: ClassVar[bool] = False
    effect: ClassVar[bool] = True
    looks_up: ClassVar[bool] = True

    def infer(self) -> tuple[Spec, ...]:
        require(self.count >= 1, f"a loop of {self.count} steps")
        within(self.count * _calls(self.body), STEPS, "calls in a loop")
        given = self.operands()
        inputs = self.body.inputs
        require(len(inputs) == len(given), f"the body has {len(inputs)} inputs, the loop gives it {len(given)}")
        for outer, inner in zip(given, inputs, strict=True):
            same = outer.type == inner.type
            require(same, f"the body takes %{inner.name} as {inner.type}, the loop gives it {outer.type}")
        for value in (*self.scanned, *self.stacked):
            fits = value.shape[:1] == (self.count,)
            require(fits, f"%{value.name}, {value.type}, is not {self.count} long in its first dimension")
        self._require_own_buffers()
        return tuple(spec_of(value) for value in self.written)

    @property
    def written(self) -> tuple[Value, ...]:
        """Return the operands in whose buffers the results lie, in order."""
        return (*self.carried, *self.stacked)

    def alias_of(self, index: int) -> Value | None:
        return self.written[index]

    def overwrites(self) -> tuple[Value, ...]:
        return self.written

    def dispatch(self, target: Target) -> Dispatch:
        """Count the programs of all steps."""
        calls = (node.op for node in self.body.nodes if isinstance(node.op, Call))
        return self.count * sum((call.dispatch(target) for call in calls), NO_PROGRAM)

    def _require_own_buffers(self) -> None:
        for value in self.written:
            own = isinstance(value.op, (Clone, Empty, Loop, Input))
            require(own, f"the loop writes into %{value.name}, which {value.op.mnemonic} made for others too")
        require(len(set(self.written)) == len(self.written), "the loop writes two results into one buffer")
        inputs, outputs = self.body.inputs, self.body.outputs
        written = (*inputs[: len(self.carried)], *inputs[len(self.carried) + len(self.scanned) :])[: len(self.written)]
        require(len(outputs) == len(written), f"the body has {len(outputs)} outputs for {len(written)} results")
        for (name, value), buffer in zip(outputs, written, strict=True):
            require(buffer_of(value) is buffer, f"the body's output {name!r} does not lie in the buffer of its input")


def _calls(body: Body) -> int:
    """Count the calls that a body makes in one step."""
    return sum(op.count * _calls(op.body) if isinstance(op, Loop) else 1 for op in (node.op for node in body.nodes))


class StepCall(Call, abstract=True):
    """A call of a loop's body that differs from step to step: `at(step)` is the TTNN call of that step."""

    positional: ClassVar[bool] = True

    @abstractmethod
    def at(self, step: int | Step) -> Call:
        """Return the call at a step: a number, or `Step()` for the spelling in terms of t."""

    def infer(self) -> Spec:
        types = self.at(0).infer()
        assert isinstance(types, Spec)
        return types

    def alias(self) -> Value | None:
        return self.at(0).alias()

    def dispatch(self, target: Target) -> Dispatch:
        return self.at(0).dispatch(target)

    def workspace(self, target: Target) -> Workspace:
        return self.at(0).workspace(target)


@dataclass(frozen=True)
class View(StepCall, name="loop.view"):
    """The steps of x around step t, where they lie: without a device program, and of one type in all steps."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    _: KW_ONLY
    window: Window
    step: Step = FORWARD

    def at(self, step: int | Step) -> Narrow:
        row = self.step.at(step) if isinstance(step, int) else self.step
        start: Any = self.window.start(row)
        return Narrow(self.input_tensor, 0, start, self.window.length)

    def infer(self) -> Spec:
        shape, window = self.input_tensor.shape, self.window
        fits = window.count == shape[0] and 1 <= window.period <= window.length <= window.count
        require(fits and (window.count - window.length) % window.period == 0, f"{window} views no {list(shape)}")
        return super().infer()


@dataclass(frozen=True)
class Take(StepCall, name="loop.take"):
    """x[t], with its first dimension kept as 1, or only the `columns` (first, end) of its last dimension.

    Columns start at whole tiles. `step` is (scale, offset) of the step number. Of a `window` of x, x[t] is what lies
    at t's place there.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    _: KW_ONLY
    columns: tuple[int, int] | None = None
    step: Step = FORWARD
    window: Window | None = None
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        window, shape = self.window, self.input_tensor.shape
        fits = window is None or (window.length == shape[0] <= window.count and window.period >= 1)
        require(fits, f"{list(shape)} is no {window}")
        return super().infer()

    def at(self, step: int | Step) -> Slice:
        shape = self.input_tensor.shape
        first, end = self.columns or (0, shape[-1])
        row: Any = self.step.at(step) if isinstance(step, int) else self.step
        row = self.window.place(row) if self.window else row
        zeros = (0,) * (len(shape) - 2)
        return Slice(
            self.input_tensor,
            (row, *zeros, first),
            (row + 1, *shape[1:-1], end),
            (1,) * len(shape),
            memory_config=self.memory_config,
        )


@dataclass(frozen=True)
class FillCache(Call, name="ttnn.fill_cache"):
    """cache[batch_idx] = input, in place and in one device program; both TILE, of rank 4 and one dtype."""

    moves: ClassVar[bool] = True
    cache: Value
    input: Value
    batch_idx: int
    effect: ClassVar[bool] = True

    def infer(self) -> Spec:
        cache, given = spec_of(self.cache), spec_of(self.input)
        accept(self.cache, Layout.TILE, PLAIN_FLOATS, "the cache")
        accept(self.input, Layout.TILE, PLAIN_FLOATS, "the input")
        if cache.dtype is not given.dtype:
            raise Refusal(f"fill_cache takes one dtype, got {cache.dtype} and {given.dtype}")
        if cache.rank != 4 or (1, *cache.shape[1:]) != given.shape:
            raise Refusal(f"{list(given.shape)} is no entry of a cache {list(cache.shape)}")
        if isinstance(self.batch_idx, int) and not 0 <= self.batch_idx < cache.shape[0]:
            raise Refusal(f"the cache {list(cache.shape)} has no entry {self.batch_idx}")
        return cache

    def alias(self) -> Value | None:
        return self.cache

    def overwrites(self) -> tuple[Value, ...]:
        return (self.cache,)

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles."""
        return Workspace(circular_buffers=2 * tile_bytes(spec_of(self.cache).dtype))


@dataclass(frozen=True)
class Put(StepCall, name="loop.put"):
    """y[t] = input, in place."""

    moves: ClassVar[bool] = True
    cache: Value
    input: Value
    _: KW_ONLY
    step: Step = FORWARD
    effect: ClassVar[bool] = True

    def at(self, step: int | Step) -> FillCache:
        row = self.step.at(step) if isinstance(step, int) else self.step
        return FillCache(self.cache, self.input, row)  # type: ignore[arg-type] (a Step for the spelling alone)

    def alias(self) -> Value | None:
        return self.cache

    def overwrites(self) -> tuple[Value, ...]:
        return (self.cache,)


@dataclass(frozen=True)
class Clone(Call, name="ttnn.clone"):
    """The same numbers in a buffer of their own, to be written in."""

    moves: ClassVar[bool] = True
    input: Value
    _: KW_ONLY
    memory_config: MemoryConfig
    effect: ClassVar[bool] = True

    def infer(self) -> Spec:
        return replace(spec_of(self.input), memory=self.memory_config)

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles, in L1 three."""
        return Workspace(circular_buffers=3 * int(TILE * TILE * spec_of(self.input).dtype.bytes))


@dataclass(frozen=True)
class Empty(Call, name="ttnn.empty"):
    """A buffer of its own with whatever the memory held before, to be written in."""

    moves: ClassVar[bool] = True
    shape: tuple[int, ...]
    dtype: DType
    layout: Layout
    _: KW_ONLY
    memory_config: MemoryConfig = DRAM
    effect: ClassVar[bool] = True
    needs_device: ClassVar[bool] = True

    def infer(self) -> Spec:
        if not all(self.shape):
            raise TypeRuleError(f"an empty buffer of {list(self.shape)}")
        return Spec(self.dtype, self.shape, self.layout, self.memory_config)

    def dispatch(self, target: Target) -> Dispatch:
        return NO_PROGRAM
