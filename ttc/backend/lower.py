"""The walk of lowering: each op becomes TTNN calls by its rule; all ops that have none are refused at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from ttc.backend.host import host_op, host_ops
from ttc.backend.lowering import RULES, Lowering
from ttc.backend.naming import named_after_ops
from ttc.backend.weight_dtypes import WeightDtypes
from ttc.calls.call import MathFidelity, spec_of
from ttc.calls.layout import ToMemoryConfig
from ttc.calls.target import Target
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import Const, DType, Graph, Input, Op, Spec, Value
from ttc.ir.stand_in import enumerated
from ttc.ir.state import state_name
from ttc.ops.constant import Full, Literal

ON_HOST = "with --allow-host NAME (allow_host=[...] in Python) the host does what the card cannot"
"""Advice for ops that lowering refuses."""


class Lowered(NamedTuple):
    """A program of calls, and the graph of ops that computes its weights (an output for each reference).

    `names` is the name of the call value that holds each op value, by the op value's name: for comparing the two step
    by step; `elements` counts those of the weights of products and convolutions, by the name of the model's weight.
    """

    program: Graph
    derivations: Graph
    names: Mapping[str, str]
    elements: Mapping[str, int]


def lower(
    graph: Graph,
    target: Target,
    dtype: DType,
    weight_dtype: DType,
    allow_host: Collection[str] = (),
    fidelity: MathFidelity | None = None,
    weight_dtypes: Mapping[str, DType] | None = None,
    cache_dtype: DType | None = None,
) -> Lowered:
    """Lower every op for `target`; Refused with every reason if some ops cannot be lowered.

    Floating values become `dtype` (bf16 or f32), weights of matrix products and convolutions `weight_dtype`, or what
    `weight_dtypes` says by their names, and states in which rows are written in place `cache_dtype` if given. The host
    does the ops named in `allow_host` where the card cannot. `fidelity` overrules the choice of ttc.calls.fidelity.
    """
    to = _Walk(graph, target, dtype, WeightDtypes(weight_dtype, weight_dtypes or {}))
    to.on_host = host_ops(allow_host)
    to.fidelity, to.cache_dtype = fidelity, cache_dtype
    for node in graph.nodes:
        to.lower_node(node.op, node.results)
    if to.refusals:
        raise Refused([*to.refusals, *to.wide_integers(graph)], _on_host(to.refusals))
    return to.finish(graph)


def _on_host(refusals: list[tuple[str, str]]) -> tuple[str, ...]:
    """Advise which of the refused ops the host could do."""
    names = sorted({where.partition(" %")[0] for where, _ in refusals} - {Input.mnemonic})
    return (f"{ON_HOST}: {', '.join(names)}",) if names else ()


class _Walk(Lowering):
    """A lowering of a graph node by node: beside what rules ask, the refusals so far and what stands in for them."""

    def __init__(self, graph: Graph, target: Target, dtype: DType, weight_dtypes: WeightDtypes):
        super().__init__(graph, target, dtype, weight_dtypes)
        self.refusals: list[tuple[str, str]] = []
        self.on_host: frozenset[type[Op]] = frozenset()
        self._refused: set[Value] = set()
        self._read: list[Value] = []  # what refused ops take, which no output may need

    def lower_node(self, op: Op, results: tuple[Value, ...]) -> None:
        """Lower one op, or note the reason of its refusal; an input stands for what it would have given.

        Ops that depend on a refused value of a type that the device does not have are passed over.
        """
        if any(value in self._refused for value in op.operands()):
            self._refused.update(results)
            return
        self._at(results)
        self._op, self.dtype = op, self.float_of(results[0])
        try:
            lowered = self._lower(op, results)
        except (Refusal, TypeRuleError) as refusal:
            if type(op) in self.on_host:
                self._lowered.update(zip(results, self._by_host(op, results), strict=True))
                return
            self.refusals.append((results[0].where, str(refusal)))
            self._stand_in(op, results)
            return
        self._lowered.update(zip(results, lowered, strict=bool(lowered)))

    def _stand_in(self, op: Op, results: tuple[Value, ...]) -> None:
        """Add inputs in place of the results of a refused op, whose operands stay in the program."""
        self._read += [self._lowered[value] for value in op.operands() if value in self._lowered]
        for value in results:
            try:
                spec = Spec(self.device_dtype(value.type), value.shape)
            except Refusal:
                self._refused.add(value)
            else:
                self._lowered[value] = self._program(Input(spec, value.name))

    def _output(self, value: Value) -> Value:
        self.dtype = self.float_of(value)
        return self.stored(value)

    def _lower(self, op: Op, results: tuple[Value, ...]) -> tuple[Value, ...]:
        if isinstance(op, Input):
            if state_name(op.name) is not None:
                self._weights.start(op)
            dtype = self.device_dtype(op.type) if not self._is_cache(op, results[0]) else self.cache_dtype
            return (self._program(replace(op, type=Spec(dtype or self.dtype, op.type.shape))),)
        if isinstance(op, (Const, Full, Literal)) or (op.operands() and all(v in self._weights for v in op.operands())):
            self._weights.take(op, results)
            return ()
        rule = RULES.get(type(op))
        if rule is None:
            raise Refusal(f"no TTNN call does {op.mnemonic}")
        lowered = rule(op, self)
        lowered = lowered if isinstance(lowered, tuple) else (lowered,)
        for value, result in zip(lowered, results, strict=True):
            if value.shape != result.shape:
                raise AssertionError(f"lowering {op.mnemonic} turned %{result.name} {result.type} into {value.type}")
        return lowered

    def _is_cache(self, op: Input, value: Value) -> bool:
        """Return whether an input is a floating state in which rows are written in place, of a dtype of its own."""
        return self.cache_dtype is not None and value in self._caches and op.type.dtype.is_float

    def _by_host(self, op: Op, results: tuple[Value, ...]) -> tuple[Value, ...]:
        """Return the results of an op that the host does, on the card in the card's dtypes for them."""
        operands = tuple(map(self, dict.fromkeys(op.operands())))
        specs = tuple(Spec(self.device_dtype(value.type), value.shape) for value in results)
        return self._called(host_op(op, operands, specs))

    def finish(self, graph: Graph) -> Lowered:
        """Return the program with the model's outputs, and the weights that it refers to."""
        states = {name: self._lowered[value] for name, value in graph.states.items()}
        outputs = [(name, self._output(value), states.get(name)) for name, value in graph.outputs]
        program = self._program.finish(
            [(name, value if old is None else self._as(old, value)) for name, value, old in outputs]
        )
        used = {node.op.ref for node in program.nodes if isinstance(node.op, Const)}
        weights = self._weights.finish(used)
        if wide := self._weights.wide_integers(program, self.target):
            raise Refused(wide)
        program, new = named_after_ops(program, self._stands_for)
        names = {op_value.name: new[value].name for op_value, value in self._lowered.items() if value in new}
        return Lowered(program, weights, names, self._weight_dtypes.elements)

    def _as(self, old: Value, value: Value) -> Value:
        """Return what a run leaves of a state in the form that the next run takes the state in."""
        value = self.tile(self.cast(value, old.dtype))
        memory = spec_of(old).memory
        return value if spec_of(value).memory == memory else self.call(ToMemoryConfig(value, memory))

    def wide_integers(self, graph: Graph) -> list[tuple[str, str]]:
        """List the constants, of a program that lacks what was refused, that the device would not store as they are."""
        outputs = (self._lowered[value] for _, value in graph.outputs if value in self._lowered)
        return self._weights.wide_integers(self._program.finish(enumerated([*outputs, *self._read])), self.target)
