"""Numerics of heads of one token: elements are moved as they are."""

from __future__ import annotations

import torch
from torch import Tensor

from ttc.calls.heads_decode import NlpConcatHeadsDecode, NlpCreateQkvHeadsDecode
from ttc.ir import TILE
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.registry import emulates


@emulates(NlpCreateQkvHeadsDecode, stored=True)
def create_qkv_heads_decode(
    call: NlpCreateQkvHeadsDecode, mode: Mode, input_tensor: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the columns into heads."""
    counts = [call.num_heads, call.num_kv_heads, call.num_kv_heads]
    q, k, v = input_tensor.unflatten(-1, (sum(counts), -1)).squeeze(2).split(counts, 2)
    return q, k, v


@emulates(NlpConcatHeadsDecode, stored=True)
def concat_heads_decode(call: NlpConcatHeadsDecode, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Put the heads side by side into the first row; the others are NaN, as no number there may be read."""
    row = input_tensor.flatten(2).unsqueeze(2)
    return torch.cat([row, row.new_full((1, 1, TILE - 1, row.shape[-1]), torch.nan)], 2)
