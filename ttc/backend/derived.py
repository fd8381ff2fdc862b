"""Derived weights: the graph of ops that computes a program's weights from the model's, in the making."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from ttc.backend.wide_integers import wide_integers
from ttc.calls.target import Target
from ttc.ir import Builder, Const, Graph, Input, Op, Value, Weights
from ttc.ir.names import take_name
from ttc.ops.constant import constant, initial, names_literal
from ttc.ops.interpret import evaluate_value


class DerivedWeights:
    """The values known before the first run, each as a value of a graph of its own: the static value.

    A program refers to those that it uses by name.
    """

    def __init__(self, weights: Weights):
        self._builder = Builder(weights)
        self._static: dict[Value, Value] = {}
        self._refs: dict[tuple[Value, bool], str] = {}
        self._initial: dict[str, Value] = {}
        self._taken: set[str] = set()

    def __contains__(self, value: Value) -> bool:
        return value in self._static

    def static(self, value: Value) -> Value | None:
        """Return the static value of a model's value; None for a value that depends on inputs."""
        return self._static.get(value)

    def at(self, results: tuple[Value, ...]) -> None:
        """Let new ops stand for these results of the model's."""
        self._builder.at(results)

    def take(self, op: Op, results: tuple[Value, ...]) -> None:
        """Add an op of the model on values that are all static."""
        values = self._builder.add(op.with_operands(self._static.__getitem__), tuple(v.name for v in results))
        self._static.update(zip(results, values, strict=True))

    def derive(self, op: Op) -> Value:
        """Add an op on static values and return its result, a static value."""
        return self._builder(op)

    def constant(self, tensor: Tensor) -> Value:
        """Return a known tensor as a static value."""
        return constant(self._builder, tensor)

    def known(self, static: Value) -> Tensor | None:
        """Evaluate a static value that depends on none of the model's weights; None for others."""
        return evaluate_value(static, self._builder.weights) if _depends_on_no_weight(static) else None

    def ref(self, static: Value, whole: bool) -> str:
        """Return the reference by which the program names a static value: the weight's own, or a new one.

        A weight used both in fp32 (`whole`) and in fewer bits is stored twice.
        """
        if (static, whole) not in self._refs:
            ref = static.op.ref if isinstance(static.op, Const) else f"{origin(static)}.{static.op.mnemonic}"
            self._refs[static, whole] = take_name(ref, self._taken, ".", first=1)
        return self._refs[static, whole]

    def start(self, state: Input) -> None:
        """Add what a state starts from, to which the program refers by the name of the state's input."""
        self._initial[state.name] = self._builder(initial(state, self._builder.weights))
        self._taken.add(state.name)

    def finish(self, used: Collection[str]) -> Graph:
        """Return the graph, with an output for each reference that is used, and for each state."""
        outputs = {ref: value for (value, _), ref in self._refs.items() if ref in used}
        return self._builder.finish({**outputs, **self._initial})

    def wide_integers(self, program: Graph, target: Target) -> list[tuple[str, str]]:
        """List every constant of a program that the device would not store, or compute with, as it is."""
        derived = {ref: value for (value, _), ref in self._refs.items()}
        return wide_integers(program, {**derived, **self._initial}, self._builder.weights, target)


def _depends_on_no_weight(static: Value) -> bool:
    """Return whether a static value is made of numbers alone that the program's text may depend on."""
    waiting, met = [static], {static}
    while waiting:
        op = waiting.pop().op
        if isinstance(op, Const) and not names_literal(op.ref):
            return False
        waiting += [operand for operand in op.operands() if operand not in met]
        met.update(op.operands())
    return True


def origin(static: Value) -> str:
    """Return the first weight that a static value depends on, or the value's own name if it depends on none."""
    value = static
    while not isinstance(value.op, Const):
        operands = value.op.operands()
        if not operands:
            return value.name
        value = operands[0]
    return value.op.ref
