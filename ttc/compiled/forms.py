"""The form (dtype, layout) in which programs take inputs and states that other programs leave on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ttc.calls.call import spec_of
from ttc.calls.target import target_named
from ttc.ir import Spec
from ttc.runtime.run.buckets import Bucket


def with_forms(bucket: Bucket, forms: Mapping[str, Spec]) -> Bucket:
    """Return the bucket with each named input in a form; a state of that name is left in that form, too."""
    from ttc.backend.plan.link_inputs import link_inputs  # the backend imports torch, which a chain is loaded without

    program = bucket.program
    graph = link_inputs(program.graph, forms, target_named(program.target))
    return replace(bucket, program=replace(program, graph=graph))


def with_same_states(buckets: Sequence[Bucket]) -> tuple[Bucket, ...]:
    """Return buckets that all take and leave states in the forms of the first, so that states stay on the device.

    The first is the smallest: of a step of generation the one of a single token, which runs most.
    """
    first, *others = buckets
    forms = {name: spec_of(state) for name, state in first.program.graph.states.items()}
    return first, *(_agreeing(bucket, forms) for bucket in others)


def _agreeing(bucket: Bucket, forms: Mapping[str, Spec]) -> Bucket:
    states = bucket.program.graph.states
    different = {name: form for name, form in forms.items() if spec_of(states[name]) != form}
    return with_forms(bucket, different) if different else bucket
