"""Positions of the largest element of each window of a max pool."""

from __future__ import annotations

import itertools
import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.composer import Composer
from ttc.guard.budget import check_table
from ttc.ops.expr import Expr, apply, where
from ttc.ops.torch_types import to_torch

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]

PLACE_LIMIT = 64
"""The largest window, in elements, of which one is told to be the largest."""


def places(
    b: Composer, x: Expr, y: Expr, kernel: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, column_major: bool
) -> Expr:
    """Return the position in its plane of each window's first largest element.

    x [N, C, *sizes] and its max pool y [N, C, *out] give i64[N, C, *out]; `column_major` counts along the first
    spatial dimension first. The kernel's last element is compared first, so that earlier ones replace that choice.
    Refusal for large windows.
    """
    if not x.dtype.is_float or math.prod(kernel) > PLACE_LIMIT:
        raise Refusal(f"tells the places of the largest of {list(kernel)} in {x.type}")
    sizes, out = x.shape[2:], y.shape[2:]
    check_table(*out)
    spans = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(out, stride, dilation, kernel, strict=True)]
    ends = [max(0, span - size - pads[0]) for span, size, pads in zip(spans, sizes, padding, strict=True)]
    pads = ((0, 0), (0, 0), *((pads[0], end) for pads, end in zip(padding, ends, strict=True)))
    lowest = -min(torch.finfo(dtype).max for dtype in (torch.float32, to_torch(x.dtype)))
    wide = apply(ops.Pad, x, pads, "constant", lowest) if any(map(any, pads)) else x
    strides = [math.prod(sizes[:i] if column_major else sizes[i + 1 :]) for i in range(len(sizes))]
    found = None
    # Each tap of the kernel, seen by all windows at once: where the largest is seen there, its place is taken.
    for tap in reversed(list(itertools.product(*map(range, kernel)))):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        bounds = [start + (n - 1) * s + 1 for start, n, s in zip(starts, out, stride, strict=True)]
        seen = apply(ops.Slice, wide, (0, 0, *starts), (*x.shape[:2], *bounds), (1, 1, *stride))
        place = torch.zeros(out, dtype=torch.int64)
        for axis, (start, pads_, by) in enumerate(zip(starts, padding, strides, strict=True)):
            along = (torch.arange(out[axis]) * stride[axis] + start - pads_[0]) * by
            place += along.reshape([-1 if i == axis else 1 for i in range(len(out))])
        here = b.constant(place).expand(*y.shape)
        found = here if found is None else where(seen == y, here, found)
    assert found is not None
    return found
