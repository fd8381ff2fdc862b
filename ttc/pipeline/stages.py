"""The stages in their order, and the way through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial, wraps

from ttc import backend, passes
from ttc.backend.lower import Lowered
from ttc.backend.narrow_activations import narrow_activations
from ttc.backend.plan.shard import shard
from ttc.backend.plan.sharding.banks import banks_of
from ttc.calls.lints import lint
from ttc.calls.target import Target
from ttc.errors import InputError
from ttc.guard.collector import collector_waiting
from ttc.guard.torch_settings import own_settings
from ttc.ir import Graph
from ttc.pipeline.buckets import Reader, padding
from ttc.pipeline.build import Build
from ttc.pipeline.giants import refuse_giants
from ttc.pipeline.options import DTYPES, Options
from ttc.runtime.run.buckets import Bucket
from ttc.runtime.run.program import Program, check_states

STAGES = (
    "import",
    "padding",
    *(step.__name__ for step in passes.PIPELINE),
    "lower",
    *(step.__name__ for step in backend.PIPELINE),
)
"""The names of all stages, in order; one that runs twice is there twice. Padding changes nothing at an exact size."""

Observer = Callable[[str, Graph], None]


@collector_waiting()
@own_settings()
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
    ops, lowered = to_calls(graph, options, seen)
    seen("lower", lowered.program)
    calls = _planned(lowered.program, options, seen)
    inputs, outputs = (tuple(side.items()) for side in graph.signature())
    program = check_states(Program(calls, inputs, outputs, options.target.name, options.dtype))
    return Build(in_bucket(program), lowered.derivations, ops, lowered.names, lowered.elements, steps, options)


@own_settings()
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


def to_calls(graph: Graph, options: Options, observe: Observer | None = None) -> tuple[Graph, Lowered]:
    """Take a graph through the passes and lowering; return what was lowered too."""
    refuse_giants(graph, options.target)
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
    if options.activation_dtype is None:
        return lowered
    return lowered._replace(program=narrow_activations(lowered.program, options.target, options.activation_dtype))


def _bound(
    step: Callable[[Graph, Target], Graph], target: Target, given: Callable[[Graph, Target], Graph]
) -> Callable[[Graph], Graph]:
    """Bind a backend pass, as `given`, with its target filled in, still under the pass's own name."""

    @wraps(step)
    def bound(graph: Graph) -> Graph:
        return given(graph, target)

    return bound
