"""Elements taken along one dimension by positions known when compiling: a gather over rows."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.long_rows import gathered
from ttc.calls.index import Gather
from ttc.calls.shape import Permute
from ttc.guard.budget import check_table
from ttc.ir import DType, Layout, Value
from ttc.ir.permutation import inverse_of, to_last


def take(x: Value, dim: int, indices: Tensor, to: Lowering) -> Value:
    """Gather y[.., i, ..] = x[.., indices[i], ..] along `dim`, exact in every dtype; the result is ROW_MAJOR."""
    last = x.type.rank - 1
    order = to_last(dim, x.type.rank)
    rows = to.row_major(x)
    if dim != last:
        rows = to.call(Permute(rows, order))
    shape = (*rows.shape[:-1], indices.numel())
    static = to.derive(ops.Expand(to.constant(indices), shape))
    taken = gathered(Gather(rows, last, to.upload(static, DType.u32, Layout.ROW_MAJOR)), to)
    if dim == last:
        return taken
    return to.call(Permute(taken, inverse_of(order)))


def flipped_indices(size: int) -> Tensor:
    """Return the positions from the last to the first."""
    check_table(size)
    return torch.arange(size - 1, -1, -1, dtype=torch.int32)


def padded_indices(size: int, begin: int, end: int, mode: str) -> Tensor:
    """Return the positions that a reflected or replicated dimension repeats."""
    check_table(begin + size + end)
    indices = torch.arange(-begin, size + end, dtype=torch.int32)
    if mode == "replicate":
        return indices.clamp(0, size - 1)
    indices = indices.abs()
    return torch.where(indices >= size, 2 * (size - 1) - indices, indices)
