"""Readings of bags of rows: sums, means or maxima of the rows of a table that each bag names."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten, full
from ttc.ops.expr import Expr, apply, maximum, where

SUM, MEAN, MAX = 0, 1, 2
"""torch's numbers for what is made of a bag's rows."""


@aten("_embedding_bag", "_embedding_bag_forward_only")
def embedding_bag(
    b: ExportBuilder, weight: Expr, indices: Expr, offsets: Expr, scale_grad_by_freq: bool = False, mode: int = SUM,
    sparse: bool = False, per_sample_weights: Expr | None = None, include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[Expr]:  # fmt: skip
    """Combine rows of weight [V, D] named by indices [N] in bags, which begin at offsets [B]; an empty bag gives 0.

    Entries that are `padding_idx` belong to no bag; -1 stands for none.
    """
    starts = offsets.part(0, 0, offsets.shape[0] - 1) if include_last_offset else offsets
    rows = apply(ops.Embedding, weight, indices)
    members = _members(b, starts, indices, padding_idx)
    if mode == MAX:
        wide, least = members.reshape(*members.shape, 1), full(b, (), -math.inf, rows.dtype)
        largest = where(wide, rows.reshape(1, *rows.shape), least).max((1,))
        return (where(largest == -math.inf, 0, largest),)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.view(-1, 1)
    flags = members.cast(rows.dtype)
    total = flags @ rows
    return (total / maximum(flags.sum((1,), keep=True), 1) if mode == MEAN else total,)


def _members(b: ExportBuilder, starts: Expr, indices: Expr, padding: int) -> Expr:
    """Return flags [B, N]: entry n lies in bag b, which ends where the next one begins."""
    count = indices.shape[0]
    end = b.constant(torch.tensor([count])).cast(starts.dtype)
    ends = compose.cat([starts.part(0, 1), end], 0)
    place = b.constant(torch.arange(count)).cast(starts.dtype).reshape(1, count)
    found = (place >= starts.view(-1, 1)) & (place < ends.view(-1, 1))
    return found if padding < 0 else found & (indices != padding).reshape(1, count)
