"""Numerics of the activations that run inside another call's device program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.call import UnaryWithParam

LINEAR_GELU = 16.0
"""Number from which on gelu(x) is x in every format, and in both forms."""


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Compute x * Phi(x), `approximate` "none" or "tanh"; torch's kernel alone makes NaN of inf."""
    return torch.where(x > LINEAR_GELU, x, F.gelu(x, approximate=approximate))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": gelu,
    "gelu_tanh": partial(gelu, approximate="tanh"),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "rsqrt": torch.rsqrt,
}
"""Functions by the name that `linear` takes; a UnaryOpType is the same word in capitals."""


def fused(x: Tensor, functions: tuple[UnaryWithParam, ...]) -> Tensor:
    """Apply elementwise functions one after another, not rounded in between."""
    for function in functions:
        x = ACTIVATIONS[function.op_type.lower()](x)
    return x
