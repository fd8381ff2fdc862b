"""Loops as lowering rules make them: buffers around the loop, and a body of calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ttc.backend.lowering import Lowering
from ttc.calls.call import Call, spec_of
from ttc.calls.loop import Clone, Empty, Loop
from ttc.ir import DRAM, Body, Builder, DType, Input, Layout, Value

Named = Mapping[str, Value]


def own_copy(x: Value, to: Lowering) -> Value:
    """Copy x into a buffer that a loop may write in."""
    return to.call(Clone(x, memory_config=DRAM))


def stack(count: int, shape: tuple[int, ...], dtype: DType, to: Lowering) -> Value:
    """Reserve room for `count` results of `shape` [1, ...], which a loop stacks along the first dimension."""
    return to.call(Empty((count, *shape[1:]), dtype, Layout.TILE))


class LoopMaker:
    """A loop in the making: `inner` are the body's inputs by name, `call` adds to the body.

    The body's calls have the location of the op that `to` lowers.
    """

    def __init__(self, to: Lowering, count: int, carried: Named, scanned: Named, stacked: Named, captured: Named):
        self._count = count
        self._outer = carried, scanned, stacked, captured
        self._to, self._body = to, Builder()
        self._body.location = to.location
        self.inner: dict[str, Value] = {}
        for name, value in (pair for group in self._outer for pair in group.items()):
            self.inner[name] = self._body(Input(spec_of(value), name), name)

    def call(self, call: Call, name: str = "") -> Any:
        """Add a call to the body and return its value, or its values."""
        self._body.hint = name or self._body.hint
        return self._body(call)

    def finish(self, results: Iterable[Value]) -> tuple[Value, ...]:
        """Add the loop and return its results: `results` of the body (carried, then stacked) after the last step."""
        carried, scanned, stacked, captured = (tuple(group.values()) for group in self._outer)
        names = (*self._outer[0], *self._outer[2])
        body = Body.of(self._body.finish(zip(names, results, strict=True)))
        loop = Loop(count=self._count, carried=carried, scanned=scanned, stacked=stacked, captured=captured, body=body)
        made = self._to.call(loop)
        return made if isinstance(made, tuple) else (made,)
