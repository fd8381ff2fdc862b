"""THE pipeline: a graph of ops in, a program of TTNN calls and the graph of its weights out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from math import prod
from typing import Any

import numpy as np

from ttc import backend, passes
from ttc.calls.target import Target
from ttc.errors import InputError, NeedsValues, Refusal, Refused, TtcError
from ttc.frontend.stand_in import stand_ins
from ttc.ir import DType, Graph, TensorType, Weight, Weights
from ttc.ops import evaluate_value, has_data
from ttc.ops.torch_types import array_of, stored_as
from ttc.runtime.program import PROGRAM_DTYPES, Program, weight_types

DTYPES = PROGRAM_DTYPES

ALIASES = {"bfloat16": "bf16", "float32": "fp32", "float": "fp32"}
"""torch's and numpy's names of what a program's floating values can be."""


def dtype_named(dtype: Any) -> str:
    """A program's dtype by its name, or as torch or numpy call it; InputError with the names for any other."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    name = name.removeprefix("torch.")
    name = ALIASES.get(name, name)
    if name not in DTYPES:
        raise InputError(f"no dtype is called {dtype!r}; choose from {', '.join(DTYPES)}")
    return name


STAGES = (
    "import",
    "padding",
    *(step.__name__ for step in passes.PIPELINE),
    "lower",
    *(step.__name__ for step in backend.PIPELINE),
)
"""The names of all stages, in order; one that runs twice is there twice. Padding is for several lengths only."""

Observer = Callable[[str, Graph], None]


@dataclass(frozen=True)
class Build:
    """What compiling gives: the program, and the graph of ops that derives the weights it refers to.

    `ops` is what was lowered, and `names` which of the program's values, by name, holds which of its values.
    """

    program: Program
    derivations: Graph
    ops: Graph
    names: Mapping[str, str]

    @property
    def weights(self) -> Weights:
        """The program's weights in their storage types, each derived when it is read."""
        return derived_weights(weight_types(self.program), self.derivations)


def derived_weights(types: Mapping[str, TensorType], derivations: Graph) -> Weights:
    """Weights by reference, each evaluated when it is read; those that depend on fake data are fake."""
    values = dict(derivations.outputs)
    missing = [ref for ref in types if ref not in values]
    if missing:
        raise InputError(f"nothing derives the program's weight {missing[0]!r}")

    def weight(ref: str, type: TensorType) -> Weight:
        def read() -> np.ndarray:
            found = evaluate_value(values[ref], derivations.weights)
            try:
                return array_of(stored_as(found, type.dtype))
            except Refusal as refusal:  # of weights that had no data when the program was compiled
                raise InputError(f"weight {ref!r}: {refusal}") from None

        return Weight(type, read if has_data(values[ref], derivations.weights) else None)

    return Weights({ref: weight(ref, type) for ref, type in types.items()})


def literals(derivations: Graph) -> Weights:
    """The known tensors among what derivations refer to: all but the model's own weights."""
    return Weights({ref: weight for ref, weight in derivations.weights.items() if ref.startswith("literal.")})


def compile_graph(
    graph: Graph,
    target: Target,
    dtype: str = "bf16",
    observe: Observer | None = None,
    allow_host: Collection[str] = (),
) -> Build:
    """Compile for one card; Refused with every reason if some op cannot run there.

    `observe(name, graph)` sees the graph as imported, after each pass that changed it, and after lowering.
    `allow_host` names ops that the host may do where the card cannot.
    """
    dtype = dtype_named(dtype)
    observe = observe or (lambda name, graph: None)
    _refuse_giants(graph, target)
    observe("import", graph)
    ops = passes.run(passes.PIPELINE, graph, observe)
    lowered = backend.lower(ops, target, *DTYPES[dtype], allow_host)
    observe("lower", lowered.program)
    calls = passes.run([_bound(step, target) for step in backend.PIPELINE], lowered.program, observe)
    inputs, outputs = (tuple(side.items()) for side in graph.signature())
    return Build(Program(calls, inputs, outputs, target.name, dtype), lowered.weights, ops, lowered.names)


def all_refusals(
    refused: Refused, graph: Graph, target: Target, dtype: str, allow_host: Collection[str] = ()
) -> Refused:
    """A refusal of a model with what later stages refuse of the part of it, `graph`, that could be read."""
    missing = {f"input %{name}" for name in stand_ins(graph)}  # these have any type
    try:
        _refuse_giants(graph, target)
        backend.lower(passes.run(passes.PIPELINE, graph), target, *DTYPES[dtype], allow_host)
    except Refused as later:
        reasons = [reason for reason in later.reasons if reason[0] not in missing]
        return Refused([*refused.reasons, *reasons], (*refused.advice, *later.advice)) if reasons else refused
    except TtcError:  # what is left of the model need not make sense
        return refused
    return refused


@contextmanager
def every_stage(target: Target, dtype: str, allow_host: Collection[str] = ()) -> Iterator[None]:
    """Have a refusal by a front end tell what passes and lowering refuse too."""
    try:
        yield
    except NeedsValues:
        raise
    except Refused as refused:
        if refused.rest is None:
            raise
        raise all_refusals(refused, refused.rest, target, dtype, allow_host) from None


def _refuse_giants(graph: Graph, target: Target) -> None:
    """Refused if a value is larger than the card's memory, or would be but for an empty dimension; or in blocks."""
    reasons = []
    for node in graph.nodes:
        for value in node.results:
            if value.dtype in (DType.bfp8, DType.bfp4):
                reasons.append((value.where, f"no model has values of type {value.dtype}"))
            elements = prod(max(size, 1) for size in value.shape)
            if elements * min(value.dtype.bytes, 2) > target.dram_bytes:
                reason = f"{value.type} is more than the {target.dram_bytes:,} bytes of {target.name}"
                reasons.append((value.where, reason))
    if reasons:
        raise Refused(reasons)


def _bound(step: Callable[[Graph, Target], Graph], target: Target) -> Callable[[Graph], Graph]:
    """A backend pass with its target filled in, still under its own name."""

    @wraps(step)
    def bound(graph: Graph) -> Graph:
        return step(graph, target)

    return bound
