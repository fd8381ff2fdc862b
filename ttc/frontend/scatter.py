"""Scatters to places that are known at run time only, combined with the elements already there."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.composer import Composer
from ttc.guard.budget import check_table
from ttc.ir import Op
from ttc.ops.expr import Expr, apply, where
from ttc.ops.torch_types import to_torch

STEP_LIMIT = 64
"""The largest number of updates put in place one after another, each a comparison with every position."""
REDUCTIONS: dict[str, type[Op]] = {"mul": ops.Mul, "max": ops.Maximum, "min": ops.Minimum}


def reduced_scatter(b: Composer, x: Expr, index: Expr, updates: Expr, axis: int, reduction: str) -> Expr:
    """Combine each update into its place in x, one slice of the updates after another.

    `index`, not negative, and `updates` are as large as x along all axes but `axis`; Refusal otherwise.
    """
    combine = REDUCTIONS.get(reduction)
    if combine is None:
        raise Refusal(f"no reduction is called {reduction!r}")
    if any(i != axis and n != size for i, (n, size) in enumerate(zip(index.shape, x.shape, strict=True))):
        raise Refusal(f"a {reduction} of {index.type} into part of {x.type}")
    return put_each(b, x, index, updates, axis, lambda old, new: apply(combine, old, new))  # type: ignore[call-arg]


def put_each(
    b: Composer, x: Expr, index: Expr, updates: Expr, axis: int, combine: Callable[[Expr, Expr], Expr]
) -> Expr:
    """Combine x with the update where an index points; keep x elsewhere."""
    count, size = index.shape[axis], x.shape[axis]
    if count > STEP_LIMIT:
        raise Refusal(f"puts {count} updates in place one after another, more than {STEP_LIMIT}")
    check_table(size)
    along = tuple(size if i == axis else 1 for i in range(x.rank))
    positions = b.constant(torch.arange(size, dtype=to_torch(index.dtype))).reshape(*along)
    for i in range(count):
        here = positions == index.part(axis, i, i + 1)
        x = where(here, combine(x, updates.part(axis, i, i + 1)), x)
    return x
