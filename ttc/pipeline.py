"""THE pipeline: a graph of ops in, a program of TTNN calls and the graph of its weights out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, wraps
from math import gcd, prod
from typing import Any

from ttc import backend, passes
from ttc.backend.lowering import Lowered
from ttc.backend.plan.shard import shard
from ttc.backend.plan.sharding.banks import banks_of
from ttc.calls.call import MathFidelity
from ttc.calls.lints import lint
from ttc.calls.target import Target
from ttc.errors import InputError, Refused, TtcError
from ttc.ir import DType, Graph, Value, Weights
from ttc.ir.names import free_name
from ttc.ir.stand_in import stand_ins, without
from ttc.ir.state import state_name
from ttc.ops.default_device import on_host
from ttc.ops.derived import derived_weights
from ttc.passes.padding import Doubtful, Padded, pad
from ttc.runtime.run.buckets import Bucket, Sizes
from ttc.runtime.run.program import PROGRAM_DTYPES, Program, check_states, weight_types

DTYPES = PROGRAM_DTYPES

ALIASES = {"bfloat16": "bf16", "float32": "fp32", "float": "fp32"}
"""torch's and numpy's names of what a program's floating values can be."""


def dtype_named(dtype: Any) -> str:
    """Return a program's dtype by its name or torch's or numpy's; InputError with the names for any other."""
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
"""The names of all stages, in order; one that runs twice is there twice. Padding changes nothing at an exact size."""

Observer = Callable[[str, Graph], None]

Reading = tuple[Graph, Sizes]
"""A model at certain sizes of its lengths."""

Reader = Callable[[bool], Sequence[Reading]]
"""Reads a model at several sizes of its lengths, the one to compile for first; at more of them if asked to."""


SMALLER = "compile for smaller sizes, or a card of more memory"
"""Advice for values that are larger than the card's memory."""


@dataclass(frozen=True)
class Options:
    """The card to compile for, the numbers to compute with, and the ops that the host may do.

    `fidelity` is that of every call, None the choice of `ttc.calls.fidelity` for each. At level 0 of `optimize` each op
    is alone: nothing is fused, and every value is in DRAM; at level 3 a solver chooses what lies in L1. `weight_dtypes`
    is the storage of weights of products and convolutions by their names, where it is another than `dtype` says;
    `cache_dtype` that of floating states in which rows are written in place, None that of `dtype`.
    """

    target: Target
    dtype: str = "bf16"
    allow_host: tuple[str, ...] = ()
    fidelity: MathFidelity | None = None
    optimize: int = 1
    weight_dtypes: Mapping[str, DType] = field(default_factory=dict)
    cache_dtype: DType | None = None


@dataclass(frozen=True)
class Build:
    """The result of compiling one graph: the bucket of its program, and the graph of ops that derives the weights.

    `ops` is what was lowered, and `names` which of the program's values, by name, holds which of its values; `elements`
    counts those of the weights of products and convolutions, by name. `steps` are the graphs, as imported and after
    each stage that did something, with the stages' names.
    """

    bucket: Bucket
    derivations: Graph
    ops: Graph
    names: Mapping[str, str]
    elements: Mapping[str, int]
    steps: Sequence[tuple[str, Graph]]
    options: Options

    @property
    def imported(self) -> Graph:
        """Return the graph as the front end made it."""
        return self.steps[0][1]

    @cached_property
    def stages(self) -> Mapping[str, Graph]:
        """Return the graphs after each stage that changed the text, by name; a stage that runs again has a number."""
        stages: dict[str, Graph] = {}
        text = ""
        for stage, after in self.steps:
            before, text = text, str(after)
            if text != before:
                stages[free_name(stage, stages, "-")] = after
        return stages

    @property
    def program(self) -> Program:
        """Return the program of the bucket."""
        return self.bucket.program

    @property
    def weights(self) -> Weights:
        """Return the program's weights in their storage types, each derived when it is read."""
        return derived_weights(weight_types(self.program), self.derivations)


@on_host()
def compile_graph(
    graph: Graph, options: Options, observe: Observer | None = None, reader: Reader | None = None
) -> Build:
    """Compile for one card; Refused with every reason if some op cannot run there.

    `observe(name, graph)` sees the graph as imported, after each stage that did something, and after lowering. With
    `reader` of other lengths the program is safe for all lengths up to the graph's own; without, sizes are exact.
    """
    steps: list[tuple[str, Graph]] = []

    def seen(stage: str, after: Graph) -> None:
        steps.append((stage, after))
        if observe:
            observe(stage, after)

    seen("import", graph)
    in_bucket = Bucket.exact
    if reader:
        graph, in_bucket = padding(graph, reader)
        seen("padding", graph)
    ops, lowered = _lowered(graph, options, seen)
    seen("lower", lowered.program)
    calls = _planned(lowered.program, options, seen)
    inputs, outputs = (tuple(side.items()) for side in graph.signature())
    program = check_states(Program(calls, inputs, outputs, options.target.name, options.dtype))
    return Build(in_bucket(program), lowered.derivations, ops, lowered.names, lowered.elements, steps, options)


@on_host()
def lowered_again(build: Build, options: Options) -> Build:
    """Lower a build's ops with other numbers, or dtypes of weights, and decide no more than a run needs."""
    lowered = _lowered_ops(build.ops, options)
    program = replace(build.program, graph=_planned(lowered.program, options), dtype=options.dtype)
    bucket = replace(build.bucket, program=check_states(program))
    return Build(bucket, lowered.derivations, build.ops, lowered.names, lowered.elements, build.steps, options)


def in_one_memory(builds: Sequence[Build]) -> list[Build]:
    """Plan builds again where another has laid a weight that both read over the banks of DRAM.

    So that the device holds each weight once. Weights are the same where their references are.
    """
    banks = [banks_of(build.program.graph) for build in builds]
    every = frozenset().union(*banks)
    return [build if own == every else _planned_again(build, every) for build, own in zip(builds, banks, strict=True)]


def _planned_again(build: Build, banks: AbstractSet[str]) -> Build:
    """Take a build's calls through the backend's passes again, its weights over the banks of DRAM as stated."""
    lowered = next(position for position, (stage, _) in enumerate(build.steps) if stage == "lower")
    steps = list(build.steps[: lowered + 1])
    calls = _planned(steps[-1][1], build.options, lambda *step: steps.append(step), banks)
    bucket = replace(build.bucket, program=check_states(replace(build.program, graph=calls)))
    return replace(build, bucket=bucket, steps=steps)


def _planned(
    calls: Graph, options: Options, observe: Observer | None = None, banks: AbstractSet[str] | None = None
) -> Graph:
    """Take a program of calls through the backend's passes; the result has no fault that a lint knows.

    `banks` are the references of the weights that lie over the banks of DRAM, where another program has decided it.
    """
    planning = {0: backend.NEEDED, 1: backend.PIPELINE, 3: backend.EXACT}[options.optimize]
    given = {shard.__name__: partial(shard, banks=banks)}
    steps = [_bound(step, options.target, given.get(step.__name__, step)) for step in planning]
    calls = passes.run(steps, calls, observe)
    faults = list(lint(calls, options.target))
    assert not faults, f"ttc made a program that a card gets wrong: {faults[0]}"
    return calls


def _lowered(graph: Graph, options: Options, observe: Observer | None = None) -> tuple[Graph, Lowered]:
    """Take a graph through the passes and lowering; return what was lowered too."""
    _refuse_giants(graph, options.target)
    ops = passes.run(passes.PIPELINE if options.optimize else passes.NEEDED, graph, observe)
    return ops, _lowered_ops(ops, options)


def _lowered_ops(ops: Graph, options: Options) -> Lowered:
    """Lower a graph of ops; InputError for names of weights that none has."""
    dtypes = options.weight_dtypes
    lowered = backend.lower(
        ops,
        options.target,
        *DTYPES[options.dtype],
        options.allow_host,
        options.fidelity,
        weight_dtypes=dtypes,
        cache_dtype=options.cache_dtype,
    )
    if unknown := sorted(set(dtypes) - set(lowered.elements)):
        raise InputError(f"no weight of a product or convolution is called {unknown[0]!r}")
    return lowered


def padding(graph: Graph, reader: Reader) -> tuple[Graph, Callable[[Program], Bucket]]:
    """Mask a graph where padding would reach a result; return the graph, and a function from program to bucket.

    Where a few readings leave a doubt about which sizes follow a length, more of them decide.
    """
    try:
        with suppress(Doubtful):
            padded, taken = _padded(reader(False))
            if not padded.guessed:
                return padded.graph, partial(_bucket, padded, taken)
        padded, taken = _padded(reader(True))
    except Refused as refused:
        refused.rest = refused.rest or graph
        raise
    return padded.graph, partial(_bucket, padded, taken)


def _padded(readings: Sequence[Reading]) -> tuple[Padded, Sequence[Sizes]]:
    graphs, sizes = zip(*readings, strict=True)
    padded = pad(graphs, sizes)
    _require_fixed_states(padded)
    return padded, sizes


def _require_fixed_states(padded: Padded) -> None:
    """Raise Refused for states that have a length: buckets would keep them at several sizes."""
    reasons = [
        (f"state {own!r}", "its size is a length: state is of fixed sizes, give one size of each of its lengths")
        for name, extent in padded.inputs.items()
        if (own := state_name(name)) is not None and any(extent.lengths)
    ]
    if reasons:
        raise Refused(reasons)


def _bucket(padded: Padded, taken: Sequence[Sizes], program: Program) -> Bucket:
    """Make the bucket of a padded graph's program; lengths are multiples of what all sizes that the model took are."""
    own = taken[0]
    multiples = {name: gcd(*(sizes[name] for sizes in taken)) for name in own}
    masks = tuple(map(str, padded.masks))
    return Bucket(
        program, own, padded.names, padded.samples, multiples, padded.least, padded.inputs, padded.outputs, masks
    )


def all_refusals(refused: Refused, options: Options) -> Refused:
    """Join a refusal of a model with what later stages refuse of the part that each stage leaves."""
    reasons, advice, rest = list(refused.reasons), list(refused.advice), refused.rest
    while rest is not None:
        missing = {f"input %{name}" for name in stand_ins(rest)}  # these have any type
        try:
            _lowered(rest, options)
            break
        except Refused as later:
            found = [reason for reason in later.reasons if reason[0] not in missing]
            reasons, rest = reasons + found, later.rest
            advice += later.advice if found else ()
        except TtcError:  # what is left of the model need not make sense
            break
    return Refused(reasons, advice) if len(reasons) > len(refused.reasons) else refused


@contextmanager
def every_stage(options: Options) -> Iterator[None]:
    """Let a refusal by one stage tell what later stages refuse too."""
    try:
        yield
    except Refused as refused:
        raise all_refusals(refused, options) from None


def _refuse_giants(graph: Graph, target: Target) -> None:
    """Raise Refused if a value is larger than the card's memory, also but for an empty dimension, or in blocks.

    What is as large because of a larger operand is no reason of its own.
    """
    refused: set[Value] = set()
    reasons: list[tuple[str, str]] = []
    for node in graph.nodes:
        follows = not refused.isdisjoint(node.op.operands())
        for value in node.results:
            reason = _too_large(value, target)
            if reason:
                refused.add(value)
                reasons += [] if follows else [(value.where, reason)]
    if reasons:
        raise Refused(reasons, (SMALLER,), without(graph, refused))


def _too_large(value: Value, target: Target) -> str:
    """Return the reason why no card's memory holds a value; "" if the card's does."""
    if value.dtype in (DType.bfp8, DType.bfp4):
        return f"no model has values of type {value.dtype}"
    elements = prod(max(size, 1) for size in value.shape)
    if elements * min(value.dtype.bytes, 2) <= target.dram_bytes:
        return ""
    return f"{value.type} is more than the {target.dram_bytes:,} bytes of {target.name}"


def _bound(
    step: Callable[[Graph, Target], Graph], target: Target, given: Callable[[Graph, Target], Graph]
) -> Callable[[Graph], Graph]:
    """Bind a backend pass, as `given`, with its target filled in, still under the pass's own name."""

    @wraps(step)
    def bound(graph: Graph) -> Graph:
        return given(graph, target)

    return bound
