"""Mixtures of experts of transformers as products of known sizes, while a module is traced.

A router gives each token `k` of `E` experts and their weights. How many tokens an expert gets depends on data: to sort
tokens by expert, as transformers does, has no static form. Two forms have one, and give the same numbers:

    gathered: y[t] = sum over k of weight[t, k] * expert[index[t, k]](x[t]), each pair's matrices gathered
    dense:    y[t] = sum over e of gate[t, e] * expert[e](x[t]), gate[t, e] = weight[t, k] where index[t, k] = e, else 0
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

Experts = Callable[[Any, Tensor, Tensor, Tensor], Tensor]
"""Experts' module, tokens [T, D], experts' indices [T, k] and their weights [T, k] to tokens [T, D]."""

MODULE = "transformers.integrations.moe"

GATHERED_TWICE = 3
"""Passes over a gathered matrix: read, written, and read by the product; a matrix of all experts is read once."""


@contextmanager
def static_experts() -> Iterator[None]:
    """Let experts of transformers have a static form; where transformers is not imported there are none."""
    module = sys.modules.get(MODULE)
    if module is None:
        yield
        return
    gathered: Experts = module.batched_mm_experts_forward

    def experts(self: Any, tokens: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        matrices = self.down_proj.shape[0]
        return (gathered if index.numel() * GATHERED_TWICE <= matrices else dense)(self, tokens, index, weights)

    with patch.object(module.ExpertsInterface, "get_interface", lambda *_: experts):
        yield


def dense(self: Any, tokens: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Run all experts on all tokens [T, D], and add up what the router chose."""
    expert = torch.arange(self.down_proj.shape[0], device=tokens.device)
    # gate[e, t] = sum over k of weight[t, k] where index[t, k] = e: the chosen experts of a token differ
    gate = (weights.unsqueeze(-1) * (index.unsqueeze(-1) == expert)).sum(1).t()
    inner = _product(self, tokens, "gate_up_proj" if self.has_gate else "up_proj")
    inner = self._apply_gate(inner) if self.has_gate else self.act_fn(inner)
    outer = _product(self, inner, "down_proj")
    if self.has_post_expert_norm:
        outer = self.post_expert_norm(outer)
    return (outer * gate.unsqueeze(-1)).sum(0).to(tokens.dtype)


def _product(self: Any, x: Tensor, name: str) -> Tensor:
    """Return x [T, D] or [E, T, D] times each expert's matrix, with its bias: [E, T, I]."""
    matrices = getattr(self, name)
    y = x @ (matrices if self.is_transposed else matrices.mT)
    return y + getattr(self, f"{name}_bias").unsqueeze(1) if self.has_bias else y
