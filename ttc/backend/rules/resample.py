"""Linear resampling along spatial axes as matrix products, sample by sample.

Each axis has a matrix [out, in] that is known when compiling. Small images take one product with the Kronecker
product of all matrices; large ones take one for each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from ttc.backend.lowering import Lowering
from ttc.backend.rules.moves import reshaped
from ttc.calls.matmul import Matmul
from ttc.calls.shape import Reshape
from ttc.guard.budget import check_table
from ttc.ir import DType, Value

LIMIT_BYTES = 8 << 20
"""Largest matrix of one product, in bytes on the device: reading it takes as long as the products that it saves."""


def resampled(x: Value, batch: int, axes: Sequence[Tensor], to: Lowering) -> Value:
    """Multiply each spatial axis by its matrix: rows [1, 1, N * prod(in), C] -> [1, 1, N * prod(out), C].

    Samples are multiplied one by one: 0 times an infinity of another sample is NaN.
    """
    channels, sizes = x.shape[-1], [a.shape[1] for a in axes]
    whole = math.prod(a.shape[0] for a in axes) * math.prod(sizes)
    if whole * DType.f32.bytes <= LIMIT_BYTES:
        x = reshaped(x, (1, batch, math.prod(sizes), channels), to)
        # (A kron B) vec(X) applies A along the first axis and B along the second, in one product.
        y = product(reduce(torch.kron, axes), x, to)
        return reshaped(y, (1, 1, y.shape[1] * y.shape[2], channels), to)
    for axis in reversed(range(len(axes))):
        before = batch * math.prod(sizes[:axis])
        after = math.prod(sizes[axis + 1 :]) * channels
        x = to.call(Reshape(x, (1, before, sizes[axis], after)))
        x = product(axes[axis], x, to)
        sizes[axis] = axes[axis].shape[0]
    return to.call(Reshape(x, (1, 1, batch * math.prod(sizes), channels)))


def product(matrix: Tensor, x: Value, to: Lowering, dtype: DType | None = None) -> Value:
    """Compute matrix @ x over x's last two axes, in x's dtype unless given; the matrix in bf16 where that is exact."""
    numbers = matrix.to(torch.float32).reshape(1, 1, *matrix.shape)
    exact = bool((numbers.to(torch.bfloat16).float() == numbers).all())
    weight = to.upload(to.constant(numbers), DType.bf16 if exact else DType.f32)
    return to.call(Matmul(weight, x, dtype=dtype or x.dtype))


def linear_weights(size: int, scale: int) -> Tensor:
    """Return [size * scale, size]: linear interpolation at half-pixel centres, edges held."""
    check_table(size, size * scale)
    # Output pixel i lies at (i + 1/2) / scale - 1/2 of the input, between the pixels low and low + 1.
    source = ((torch.arange(size * scale, dtype=torch.float64) + 0.5) / scale - 0.5).clamp(min=0)
    low = source.floor().long()
    high = (low + 1).clamp(max=size - 1)
    weights = torch.zeros(size * scale, size, dtype=torch.float64)
    row = torch.arange(size * scale)
    # y[i] = (1 - t) * x[low] + t * x[high] with t = source - low; at an edge both weights meet on one pixel.
    weights.index_put_((row, low), 1 - (source - low), accumulate=True)
    weights.index_put_((row, high), source - low, accumulate=True)
    return weights
