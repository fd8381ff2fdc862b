"""Padding safety: a program at a bucket's size gives, in its valid part, what the model gives at the true length.

`pad` walks a family (the model read at several lengths) and rebuilds its first member with the true lengths as inputs.
Each op's transfer rule says what becomes of padding and asks for masks where it would reach a valid element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from ttc.errors import Refused
from ttc.ir import Graph, rewrite
from ttc.passes.fuse_skew import SHEARS
from ttc.passes.padding.family import Family
from ttc.passes.padding.result import Doubtful, Mask, Padded, Unclean
from ttc.passes.padding.walk import Batch, Walk

__all__ = ["Doubtful", "Mask", "Padded", "pad"]


def pad(graphs: Sequence[Graph], sizes: Sequence[Mapping[str, int]]) -> Padded:
    """The first graph, safe for all lengths up to its sizes; Refused with every reason if that cannot be shown,
    Doubtful if more sizes may show it.

    In a batch each sample has its own lengths, unless an op mixes samples: then they share them. Inputs without a
    length, of as many rows, are taken for the same batch if that explains the model.
    """
    # The pads and reshapes of shears would cut lengths apart.
    family = Family([rewrite(graph, *SHEARS) for graph in graphs], sizes)
    samples = _samples(graphs)
    for batch in (Batch(samples, True), Batch(samples, False)) if samples > 1 else ():
        with suppress(Refused):  # what follows says why, if the reason is not the batch
            return _fewest(family, batch)
    return _fewest(family, Batch(1, False))


def _samples(graphs: Sequence[Graph]) -> int:
    """The batch of all inputs that have a length; 1 if they have none in common."""
    rows = list(zip(*(graph.inputs for graph in graphs), strict=True))
    padded = [row for row in rows if len({value.shape for value in row}) > 1]
    batches = {value.shape[0] for row in padded for value in row}
    return batches.pop() if len(batches) == 1 else 1


def _fewest(family: Family, batch: Batch) -> Padded:
    """The better of two: the model's own masks taken as they are, or made certain, if that saves others."""
    plain = _settled(family, batch, certain=False)
    if not plain.masks or not plain.own:
        return plain
    certain = _settled(family, batch, certain=True)
    return certain if len(certain.masks) < len(plain.masks) else plain


def _settled(family: Family, batch: Batch, certain: bool) -> Padded:
    """Walk again with every value cleaned where it arises whose inf or NaN has turned out to matter."""
    cleaned: frozenset[str] = frozenset()
    while True:
        try:
            return Walk(family, batch, cleaned, certain).run()
        except Unclean as unclean:
            if unclean.names <= cleaned:
                raise AssertionError(f"{sorted(unclean.names)} were cleaned and are not clean") from None
            cleaned |= unclean.names
