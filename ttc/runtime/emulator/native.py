"""Products and convolutions in bf16 by oneDNN, where the CPU has instructions for them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor

from ttc.ir import DType, Spec

ONEDNN = {
    None: ("none", ""),
    "relu": ("none", ""),  # applied after: oneDNN's own makes 0 of NaN, and rounding does not change a sign
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "silu": ("swish", ""),
    "sigmoid": ("sigmoid", ""),
    "tanh": ("tanh", ""),
}
"""Activations as oneDNN names them; oneDNN applies them to the fp32 sum, before the one rounding to bf16."""


@cache
def native_bf16() -> bool:
    """Return whether this CPU multiplies bf16 matrices faster than float32 ones."""
    return torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()


def takes_native_bf16(result: Spec, operands: Iterable[Tensor]) -> bool:
    """Return whether operands and result are stored as bf16, and the CPU computes with that."""
    return result.dtype is DType.bf16 and native_bf16() and all(x.dtype is torch.bfloat16 for x in operands)
