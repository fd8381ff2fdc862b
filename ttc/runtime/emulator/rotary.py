"""Numerics of rotary position embeddings."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.rotary import RotaryEmbeddingHf, RotaryEmbeddingLlama
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.passes import Multiply, product
from ttc.runtime.emulator.registry import emulates

Rotation = RotaryEmbeddingHf | RotaryEmbeddingLlama


@emulates(RotaryEmbeddingHf)
def rotary_hf(
    call: RotaryEmbeddingHf, mode: Mode, input_tensor: Tensor, cos_cache: Tensor, sin_cache: Tensor
) -> Tensor:
    """Turn halves of rows."""
    a, b = input_tensor.chunk(2, -1)
    return _sum(call, mode, input_tensor, torch.cat([-b, a], -1), cos_cache, sin_cache)


@emulates(RotaryEmbeddingLlama)
def rotary_llama(
    call: RotaryEmbeddingLlama,
    mode: Mode,
    input_tensor: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    trans_mat: Tensor,
) -> Tensor:
    """Turn each tile's rows by the matrix."""
    size = trans_mat.shape[-1]
    tiles = input_tensor.unflatten(-1, (-1, size))
    turned = _times(call, mode, tiles, trans_mat[0, 0], torch.matmul).flatten(-2)
    return _sum(call, mode, input_tensor, turned, cos_cache, sin_cache)


def _sum(call: Rotation, mode: Mode, x: Tensor, turned: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Compute x * cos + turned * sin; the matrix engine multiplies, and interim results are kept in bf16."""
    first, second = _times(call, mode, x, cos, torch.mul), _times(call, mode, turned, sin, torch.mul)
    if mode is Mode.tensix:
        first, second = first.bfloat16().float(), second.bfloat16().float()
    return first + second


def _times(call: Rotation, mode: Mode, left: Tensor, right: Tensor, multiply: Multiply) -> Tensor:
    """Multiply as the engine does, or exactly."""
    return multiply(left, right) if mode is Mode.exact else product(left, right, call.compute, multiply)
