"""The rule that makes a slice of a look-up by known, consecutive indices."""

from __future__ import annotations

from torch import Tensor

from ttc import ops
from ttc.ir import Builder, Value
from ttc.ops.expr import Expr


def simplify_index(op: ops.Embedding | ops.Gather, builder: Builder) -> Value | None:
    """Replace a look-up of consecutive indices known when compiling by a slice: a rule of the normal form."""
    match op:
        case ops.Embedding(w=w, index=index):
            rows = ops.known(index, builder)
            if rows is None:
                return None
            start = _run_from(rows.flatten())
            if start is None or start < 0 or start + rows.numel() > w.shape[0]:
                return None
            return Expr(w, builder).part(0, start, start + rows.numel()).reshape(*op.infer().shape).value
        case ops.Gather(x=x, index=index, dim=dim) if _same_but(dim, x.shape, index.shape):
            places = ops.known(index, builder)
            if places is None or not places.numel():
                return None
            line = places.movedim(dim, -1).reshape(-1, places.shape[dim])
            start = _run_from(line[0]) if bool((line == line[0]).all()) else None
            if start is None or start < 0 or start + line.shape[1] > x.shape[dim]:
                return None
            return Expr(x, builder).part(dim, start, start + line.shape[1]).value
    return None


def _run_from(index: Tensor) -> int | None:
    """Return the first of consecutive indices; None if the indices do not ascend by 1."""
    if not index.numel() or not bool((index[1:] - index[:-1] == 1).all()):
        return None
    return int(index[0])


def _same_but(dim: int, left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Return whether two shapes agree in all dimensions but `dim`."""
    return all(a == b for i, (a, b) in enumerate(zip(left, right, strict=True)) if i != dim)
