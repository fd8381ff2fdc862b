"""Graphs that are safe for all lengths up to their own: masks where padding would reach a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import gcd

from ttc.errors import Refused
from ttc.ir import Graph
from ttc.ir.state import state_name
from ttc.passes.padding import Doubtful, Padded, pad
from ttc.runtime.run.buckets import Bucket, Sizes
from ttc.runtime.run.program import Program

Reading = tuple[Graph, Sizes]
"""A model at certain sizes of its lengths."""

Reader = Callable[[bool], Sequence[Reading]]
"""Reads a model at several sizes of its lengths, the one to compile for first; at more of them if asked to."""


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
