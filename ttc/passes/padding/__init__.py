"""Padding safety: a program at a bucket's size gives, in its valid part, what the model gives at the true length.

Two passes. `infer_lengths` makes of the model's readings at several sizes one graph whose sizes are symbolic. `mask`
interprets that graph over abstract values and rebuilds it with the true lengths as inputs: each op's transfer function
says what becomes of padding, and asks for masks where it would reach a valid element.
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

    In a batch each sample has its own lengths, unless an op mixes samples: then they share them. Inputs without a
    length, of as many rows, are taken for the same batch if that explains the model.
    """
    # The pads and reshapes of shears would cut lengths apart.
    return mask(infer_lengths(Readings([rewrite(graph, *SHEARS) for graph in graphs], sizes)))


def mask(annotated: Annotated) -> Padded:
    """Rebuild an annotated graph so that padding reaches no valid element; refuses as `pad` does."""
    samples = _samples(annotated.graph)
    for batch in (Batch(samples, True), Batch(samples, False)) if samples > 1 else ():
        with suppress(Refused):  # what follows says why, if the reason is not the batch
            return _fewest_masks(annotated, batch)
    return _fewest_masks(annotated, Batch(1, False))


def _samples(graph: Graph) -> int:
    """Give the batch of all inputs that have a length; 1 if they have none in common."""
    padded = [value.shape for value in graph.inputs if any(isinstance(size, SymbolicSize) for size in value.shape)]
    batches = {shape[0] for shape in padded}
    first = min(batches, default=1)
    return 1 if len(batches) > 1 or any(isinstance(shape[0], SymbolicSize) for shape in padded) else first


def _fewest_masks(annotated: Annotated, batch: Batch) -> Padded:
    """Take the model's own masks as they are, or make these certain if that saves others."""
    plain = _fixed_point(annotated, batch, certain=False)
    if not plain.masks or not plain.own:
        return plain
    certain = _fixed_point(annotated, batch, certain=True)
    return certain if len(certain.masks) < len(plain.masks) else plain


def _fixed_point(annotated: Annotated, batch: Batch, certain: bool) -> Padded:
    """Analyse from the empty set of masked sources on, a larger one each time, until no inf or NaN matters.

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
