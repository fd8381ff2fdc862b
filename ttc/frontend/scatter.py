"""Putting elements in places that are known at run time only, combined with what is there."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.composer import Composer, part, reshape
from ttc.guard.budget import check_table
from ttc.ir import Op, Value
from ttc.ops.torch_types import to_torch

STEP_LIMIT = 64
"""Updates that may be put in place one after another, each a comparison with every position."""
REDUCTIONS: dict[str, type[Op]] = {"mul": ops.Mul, "max": ops.Maximum, "min": ops.Minimum}


def reduced_scatter(b: Composer, x: Value, index: Value, updates: Value, axis: int, reduction: str) -> Value:
    """x with each update combined into its place, one slice of the updates after another.

    `index`, not negative, and `updates` are as large as x along all axes but `axis`; Refusal otherwise.
    """
    combine = REDUCTIONS.get(reduction)
    if combine is None:
        raise Refusal(f"no reduction is called {reduction!r}")
    if any(i != axis and n != size for i, (n, size) in enumerate(zip(index.shape, x.shape, strict=True))):
        raise Refusal(f"a {reduction} of {index.type} into part of {x.type}")
    return put_each(b, x, index, updates, axis, lambda old, new: b(combine(old, new)))  # type: ignore[call-arg]


def put_each(
    b: Composer, x: Value, index: Value, updates: Value, axis: int, combine: Callable[[Value, Value], Value]
) -> Value:
    """x where no index points, else what `combine` makes of x and the update."""
    count, size = index.shape[axis], x.shape[axis]
    if count > STEP_LIMIT:
        raise Refusal(f"puts {count} updates in place one after another, more than {STEP_LIMIT}")
    check_table(size)
    along = tuple(size if i == axis else 1 for i in range(x.type.rank))
    positions = reshape(b, b.constant(torch.arange(size, dtype=to_torch(index.dtype))), along)
    for i in range(count):
        here = b(ops.Eq(positions, part(b, index, axis, i, i + 1)))
        x = b(ops.Where(here, combine(x, part(b, updates, axis, i, i + 1)), x))
    return x
