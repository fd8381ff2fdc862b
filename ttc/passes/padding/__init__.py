"""Padding safety: in the valid part, a program at a bucket's size computes the model's result at the true length.

Two passes. `infer_lengths` makes of the model's readings at several sizes one graph with symbolic dimensions. `mask`
interprets that graph over abstract values and rebuilds the graph with the true lengths as inputs: each op's transfer
function states the padding of the result, and asks for masks where padding would reach a valid element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from ttc.errors import Refused
from ttc.ir import Graph, rewrite
from ttc.ir.symbolic import SymbolicSize
from ttc.passes.fuse.fuse_skew import SHEARS
from ttc.passes.padding.analysis import Batch, PaddingAnalysis
from ttc.passes.padding.infer_lengths import Annotated, infer_lengths
from ttc.passes.padding.readings import Readings
from ttc.passes.padding.result import Doubtful, Mask, NotFinite, Padded

__all__ = ["Annotated", "Doubtful", "Mask", "Padded", "Readings", "infer_lengths", "mask", "pad"]


def pad(graphs: Sequence[Graph], sizes: Sequence[Mapping[str, int]]) -> Padded:
    """Make the first graph safe for all lengths up to its sizes.

    Refused with every reason if that cannot be shown, Doubtful if more sizes may show it.

    In a batch each sample has lengths of its own, unless an op mixes samples: then all samples share one. Inputs
    without a length, of as many rows, are taken for the same batch if the model is safe that way.
    """
    # The pads and reshapes of shears would cut lengths apart.
    return mask(infer_lengths(Readings([rewrite(graph, *SHEARS) for graph in graphs], sizes)))


def mask(annotated: Annotated) -> Padded:
    """Rebuild an annotated graph so that padding reaches no valid element; Refused and Doubtful as in `pad`."""
    samples = _samples(annotated.graph)
    for batch in (Batch(samples, True), Batch(samples, False)) if samples > 1 else ():
        with suppress(Refused):  # what follows says why, if the reason is not the batch
            return _fewest_masks(annotated, batch)
    return _fewest_masks(annotated, Batch(1, False))


def _samples(graph: Graph) -> int:
    """Give the batch size of the inputs that have a length; 1 if these inputs have no batch in common."""
    padded = [value.shape for value in graph.inputs if any(isinstance(size, SymbolicSize) for size in value.shape)]
    batches = {shape[0] for shape in padded}
    first = min(batches, default=1)
    return 1 if len(batches) > 1 or any(isinstance(shape[0], SymbolicSize) for shape in padded) else first


def _fewest_masks(annotated: Annotated, batch: Batch) -> Padded:
    """Analyse with the model's own masks as given and, where there are any, made certain; keep the fewer masks."""
    plain = _fixed_point(annotated, batch, certain=False)
    if not plain.masks or not plain.own:
        return plain
    certain = _fixed_point(annotated, batch, certain=True)
    return certain if len(certain.masks) < len(plain.masks) else plain


def _fixed_point(annotated: Annotated, batch: Batch, certain: bool) -> Padded:
    """Repeat the analysis with growing sets of masked sources, from the empty set, until no inf or NaN matters.

    A source is a value in whose padding an inf or NaN arises. The sets grow, and a graph has finitely many values.
    """
    sources: frozenset[str] = frozenset()
    while True:
        try:
            return PaddingAnalysis(annotated, batch, sources, certain).run()
        except NotFinite as not_finite:
            if not_finite.names <= sources:
                raise AssertionError(f"{sorted(not_finite.names)} were masked and are not finite") from None
            sources |= not_finite.names
