"""Lowering as rules see it: the registry of rules, and the program that they add calls to.

A rule is a function `(op, to) -> Value | tuple` registered with `@lowers(ops.Thing)` in the file of its family. `to`
is the `Lowering` at work: `to(op.x)` is an operand as a call value, `to.call(...)` adds a call, `to.static` and
`to.upload` handle values that are known before the first run (derived weights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ttc.backend.derived import DerivedWeights
from ttc.backend.in_place import written_in_place
from ttc.backend.one_token import rows_of_one_token
from ttc.backend.precision import wide_values
from ttc.backend.weight_dtypes import WeightDtypes
from ttc.calls.call import Call, MathFidelity, spec_of
from ttc.calls.fidelity import with_fidelity
from ttc.calls.layout import ToLayout, Typecast
from ttc.calls.lints import integers_that_the_card_holds
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, HOST, Builder, Const, DType, Graph, Layout, MemoryConfig, Op, Spec, Type, Value

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


class Lowering:
    """The state of one lowering that rules ask and add to: the program so far and the derived weights so far."""

    def __init__(self, graph: Graph, target: Target, dtype: DType, weight_dtypes: WeightDtypes):
        self.target, self.dtype, self._weight_dtypes = target, dtype, weight_dtypes
        self._narrow = dtype  # the value of `dtype` except where numbers need to be exact
        self._wide = wide_values(graph) if dtype is DType.bf16 else frozenset()
        self._caches = written_in_place(graph)
        self.in_place = frozenset(op for changes in self._caches.values() for op in changes)
        self.one_token = rows_of_one_token(graph, self.in_place, target)  # rows whose heads go onto one core
        self.uses = graph.uses()  # the number of readers of each of the model's values
        self.readers = graph.readers()
        self.fidelity: MathFidelity | None = None
        self.cache_dtype: DType | None = None
        self._program = Builder()
        self._weights = DerivedWeights(graph.weights)
        self._op: Op = Op()  # the op being lowered
        self._current: tuple[Value, ...] = ()  # the results of the op being lowered
        self._stands_for: dict[Value, tuple[Value, ...]] = {}  # for which of those a call was added
        self._lowered: dict[Value, Value] = {}

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

    def float_of(self, value: Value) -> DType:
        """Return the float in which a value is computed."""
        return DType.f32 if value in self._wide else self._narrow

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
