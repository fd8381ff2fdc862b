"""Lowering: each op becomes TTNN calls by its rule; all ops that have none are refused at once.

A rule is a function `(op, to) -> Value | tuple` registered with `@lowers(ops.Thing)` in the file of its family. `to`
is the `Lowering` at work: `to(op.x)` is an operand as a call value, `to.call(...)` adds a call, `to.static` and
`to.upload` handle values that are known before the first run (derived weights).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from ttc.backend.derived import DerivedWeights
from ttc.backend.host import host_op, host_ops
from ttc.backend.in_place import written_in_place
from ttc.backend.naming import named_after_ops
from ttc.backend.one_token import rows_of_one_token
from ttc.backend.precision import wide_values
from ttc.backend.weight_dtypes import WeightDtypes
from ttc.calls.call import Call, MathFidelity, spec_of
from ttc.calls.fidelity import with_fidelity
from ttc.calls.layout import ToLayout, ToMemoryConfig, Typecast
from ttc.calls.lints import integers_that_the_card_holds
from ttc.calls.target import Target
from ttc.errors import Refusal, Refused, TypeRuleError
from ttc.ir import DRAM, HOST, Builder, Const, DType, Graph, Input, Layout, MemoryConfig, Op, Spec, Type, Value
from ttc.ir.stand_in import enumerated
from ttc.ir.state import state_name
from ttc.ops.constant import Full, Literal

ON_HOST = "with --allow-host NAME (allow_host=[...] in Python) the host does what the card cannot"
"""Advice for ops that lowering refuses."""

Rule = Callable[[Any, "Lowering"], Any]
RULES: dict[type[Op], Rule] = {}


def lowers(*kinds: type[Op]) -> Callable[[Rule], Rule]:
    """Register a function as the lowering rule of these ops."""

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            assert kind not in RULES, f"two lowering rules for {kind.__name__}"
            RULES[kind] = rule
        return rule

    return register


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
    to = Lowering(graph, target, dtype, WeightDtypes(weight_dtype, weight_dtypes or {}))
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


class Lowering:
    """The state of one lowering: the program so far, the derived weights so far, the refusals so far."""

    def __init__(self, graph: Graph, target: Target, dtype: DType, weight_dtypes: WeightDtypes):
        self.target, self.dtype, self._weight_dtypes = target, dtype, weight_dtypes
        self._narrow = dtype  # the value of `dtype` except where numbers need to be exact
        self._wide = wide_values(graph) if dtype is DType.bf16 else frozenset()
        self._caches = written_in_place(graph)
        self.in_place = frozenset(op for changes in self._caches.values() for op in changes)
        self.one_token = rows_of_one_token(graph, self.in_place, target)  # rows whose heads go onto one core
        self.uses = graph.uses()  # the number of readers of each of the model's values
        self.readers = graph.readers()
        self.refusals: list[tuple[str, str]] = []
        self.on_host: frozenset[type[Op]] = frozenset()
        self.fidelity: MathFidelity | None = None
        self.cache_dtype: DType | None = None
        self._program = Builder()
        self._weights = DerivedWeights(graph.weights)
        self._op: Op = Op()  # the op being lowered
        self._current: tuple[Value, ...] = ()  # the results of the op being lowered
        self._stands_for: dict[Value, tuple[Value, ...]] = {}  # for which of those a call was added
        self._lowered: dict[Value, Value] = {}
        self._refused: set[Value] = set()
        self._read: list[Value] = []  # what refused ops take, which no output may need

    # ------------------------------------------------------------ for rules

    def __call__(self, value: Value) -> Value:
        """Return an op's operand as a call value, in the float that the op computes in; a static one in TILE layout."""
        if (static := self.static(value)) is not None:
            self._lowered[value] = self.upload(static)  # the builder shares equal ones
        lowered = self._lowered[value]
        other = value in self._wide or self.dtype is not self._narrow or lowered.dtype is self.cache_dtype
        return self.cast(lowered, self.dtype) if other and value.dtype.is_float else lowered

    def stored(self, value: Value) -> Value:
        """Return an operand as `__call__` does, but a cache in the dtype in which the cache is kept."""
        return self._lowered[value] if self.is_cached(value) else self(value)

    def is_cached(self, value: Value) -> bool:
        """Return whether an operand is a cache that is kept in a dtype of its own."""
        return value in self._lowered and self._lowered[value].dtype is self.cache_dtype

    @property
    def location(self) -> str:
        """Return the place in the model of the op being lowered."""
        return self._program.location

    @property
    def weight_dtype(self) -> DType:
        """Return the dtype in which the weights of the op's products and convolutions are stored."""
        return self._weight_dtypes.of(self._op, self._weights) if self.dtype is self._narrow else DType.f32

    def call(self, call: Call) -> Any:
        """Add a call to the program and return its value, or its values."""
        results = self._called(call)
        return results[0] if len(results) == 1 else results

    def _called(self, call: Call) -> tuple[Value, ...]:
        if beyond := integers_that_the_card_holds(call, self.target):
            raise Refusal(beyond)
        results = self._program.add(with_fidelity(call, self.target, self.fidelity))
        for value in results:
            self._stands_for.setdefault(value, self._current)
        return results

    @contextmanager
    def instead_of(self, value: Value) -> Iterator[None]:
        """Let the calls added meanwhile stand for `value`, the result of another op that they do as well."""
        before = self._current
        self._at((value,))
        yield
        self._at(before)

    def _at(self, results: tuple[Value, ...]) -> None:
        """Let new calls stand for these results of the model's."""
        self._current = results
        self._program.at(results)
        self._weights.at(results)

    def static(self, value: Value) -> Value | None:
        """Return `value` in the graph of derived weights if it is known before the first run, else None."""
        return self._weights.static(value)

    def known(self, static: Value) -> Tensor | None:
        """Evaluate a static value that depends on none of the model's weights; None for others."""
        return self._weights.known(static)

    def derive(self, op: Op) -> Value:
        """Add an op on static values and return the derived weight."""
        return self._weights.derive(op)

    def constant(self, tensor: Tensor) -> Value:
        """Return a known tensor as a derived weight."""
        return self._weights.constant(tensor)

    def upload(
        self,
        static: Value,
        dtype: DType | None = None,
        layout: Layout = Layout.TILE,
        memory: MemoryConfig = DRAM,
    ) -> Value:
        """Return a static value as a constant of the program, in `dtype` or by default that of `device_dtype`."""
        spec = Spec(dtype or self.device_dtype(static.type), static.shape, layout, memory)
        return self._program(Const(spec, self._weights.ref(static, spec.dtype is DType.f32)))

    def host(self, static: Value, dtype: DType) -> Value:
        """Return a static value kept on the host in rows, for calls that prepare their weights themselves."""
        return self.upload(static, dtype, Layout.ROW_MAJOR, HOST)

    def device_dtype(self, type: Type) -> DType:
        """Return the device's dtype for a model's type: floats and bool (1 or 0) take the program's, integers i32."""
        if type.dtype.is_float or type.dtype is DType.bool:
            return self.dtype
        if type.dtype.is_integer:
            return DType.i32
        raise Refusal(f"{type.dtype} has no counterpart on the device")

    def cast(self, value: Value, dtype: DType) -> Value:
        """Return a call value in another dtype, by an explicit typecast where the dtypes differ."""
        return value if value.dtype is dtype else self.call(Typecast(value, dtype))

    def tile(self, value: Value) -> Value:
        """Return a call value in TILE layout."""
        return self._in_layout(value, Layout.TILE)

    def row_major(self, value: Value) -> Value:
        """Return a call value in ROW_MAJOR layout."""
        return self._in_layout(value, Layout.ROW_MAJOR)

    def _in_layout(self, value: Value, layout: Layout) -> Value:
        return value if spec_of(value).layout is layout else self.call(ToLayout(value, layout))

    # ------------------------------------------------------------ the walk

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

    def float_of(self, value: Value) -> DType:
        """Return the float in which a value is computed."""
        return DType.f32 if value in self._wide else self._narrow

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
