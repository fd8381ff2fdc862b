"""Readings of repetitions by counts that a run computes: the alignment of symbols to frames by their durations."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten, full
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, minimum


@aten("repeat_interleave.Tensor")
def source_indices(b: ExportBuilder, repeats: Expr, output_size: int | None = None) -> Expr:
    """Return the index of the element that each of `output_size` frames repeats.

    The index is the number of elements whose frames end at or before the frame.
    Exact: sums and comparisons of integers. Frames beyond the sum of `repeats` repeat the last element.
    """
    if output_size is None:
        raise Refusal("the size of its result depends on data: give output_size")
    ends = apply(ops.Cumsum, repeats.cast(DType.i64), 0)
    check_table(output_size)
    frames = b.constant(torch.arange(output_size)[:, None])
    index = (ends <= frames).cast(DType.i64).sum((1,))
    last = full(b, (), repeats.shape[0] - 1, DType.i64)
    return minimum(index, last).cast(b.result.dtype)


@aten("repeat_interleave.self_Tensor")
def repeat_interleave(
    b: ExportBuilder, x: Expr, repeats: Expr, dim: int | None = None, output_size: int | None = None
) -> Expr:
    """Repeat each element along `dim` (of all, if none is given) by its own count; one count stands for all."""
    if dim is None:
        return repeat_interleave(b, x.view(-1), repeats, 0, output_size)
    size = x.shape[compose.axis(x, dim)]
    repeats = repeats.view(-1).expand(size)
    wanted, b.result = b.result, repeats.type
    index = source_indices(b, repeats, output_size)
    b.result = wanted
    return compose.take(x, dim, index)
