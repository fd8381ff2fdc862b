"""The logarithm of a sum of exponentials, which torch and ONNX both have."""

from __future__ import annotations

from math import inf

from ttc.ops.expr import Expr, exp, log, where


def log_sum_exp(x: Expr, dims: tuple[int, ...], keep: bool) -> Expr:
    """Compute m + log(sum(exp(x - m))) over `dims`, m the maximum where the maximum is finite, else 0.

    The difference of infinities would be NaN: so infinity gives infinity, and -inf alone, or no element, -inf.
    """
    top = x.max(dims, True)
    top = where(abs(top) == inf, 0.0, top)
    total = log(exp(x - top).sum(dims, True)) + top
    return total if keep else total.reshape(*(size for dim, size in enumerate(x.shape) if dim not in dims))
