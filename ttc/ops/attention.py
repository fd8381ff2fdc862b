"""Scaled dot-product attention, and rotary position embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import DType, Op, TensorType, Value, require
from ttc.ir.types import broadcast
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_floating, same_dtype

__all__ = ["Attention", "Rotary", "turned"]

Empty = Literal["zero", "nan", "never"]
"""Results of a query without keys: 0 (torch's scaled_dot_product_attention), NaN (a softmax written out), or none,
because every query is known to see a key.
"""


@dataclass(frozen=True)
class Attention(Op):
    """softmax(scale * q @ k.T + mask) @ v (Vaswani et al. 2017).

    q [B, H, Sq, D], k [B, Hkv, Sk, D], v [B, Hkv, Sk, Dv] with Hkv dividing H (grouped queries). The mask broadcasts
    to [B, H, Sq, Sk]: added if floating, where False is excluded if bool. `causal` excludes key j for query i where j
    > i (top-left aligned, as torch does). `empty` names the result of a query that sees no key, whose whole row is
    False or -inf.
    """

    q: Value
    k: Value
    v: Value
    mask: Value | None = None
    causal: bool = False
    scale: float = 1.0
    empty: Empty = "zero"
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)

    def infer(self) -> TensorType:
        require(self.empty in get_args(Empty), f"no result of a query without keys is called {self.empty!r}")
        q, k, v = self.q.shape, self.k.shape, self.v.shape
        require(len(q) == len(k) == len(v) == 4, f"needs rank 4, got {self.q.type}, {self.k.type}, {self.v.type}")
        require(q[-1] == k[-1], f"head sizes differ: q {q[-1]}, k {k[-1]}")
        require(k[:3] == v[:3], f"k {list(k)} and v {list(v)} differ in more than the head size")
        require(q[0] == k[0] and q[1] % k[1] == 0, f"q {list(q)} does not fit k {list(k)}")
        if self.mask is not None:
            scores = (q[0], q[1], q[2], k[2])
            require(broadcast(self.mask.shape, scores) == scores, f"mask {self.mask.type} does not fit {list(scores)}")
            require(self.mask.dtype in (DType.bool, self.q.dtype), f"the mask must be bool or {self.q.dtype}")
        return TensorType(same_dtype(self.q, self.k, self.v), (*q[:3], v[3]))

    def eval(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        mask = None if mask is None else mask[(None,) * (4 - mask.dim())]  # torch takes no mask of rank 1
        if self.causal and mask is not None:  # torch takes both for some dtypes only
            earlier = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
            mask = mask & earlier if mask.dtype is torch.bool else mask.masked_fill(~earlier, -torch.inf)
        causal = self.causal and mask is None
        grouped = q.shape[1] != k.shape[1]
        y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=self.scale, enable_gqa=grouped)
        if self.empty != "nan" or mask is None:
            return y
        seen = mask if mask.dtype is torch.bool else mask != -torch.inf
        return torch.where(seen.any(-1, keepdim=True), y, torch.nan)


@dataclass(frozen=True)
class Rotary(Op):
    """x * cos + turned(x) * sin, the rotary position embedding (Su et al. 2021, "RoFormer").

    turned(x) is [-b, a] where a and b are the halves of x's last dimension; with `pairs` elements 2i and 2i + 1 take
    the places of the halves: [-x1, x0, -x3, x2, ..]. cos and sin have one shape and broadcast to x.
    """

    x: Value
    cos: Value
    sin: Value
    pairs: bool = False
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)

    def infer(self) -> TensorType:
        check_floating(self.x)
        require(self.x.type.rank >= 1 and self.x.shape[-1] % 2 == 0, f"needs an even last dimension, got {self.x.type}")
        require(self.cos.shape == self.sin.shape, f"cos {self.cos.type} and sin {self.sin.type} differ in shape")
        fits = broadcast(self.cos.shape, self.x.shape) == self.x.shape
        require(fits, f"cos {self.cos.type} does not broadcast to {self.x.type}")
        return TensorType(same_dtype(self.x, self.cos, self.sin), self.x.shape)

    def eval(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        return x * cos + turned(x, self.pairs) * sin


def turned(x: Tensor, pairs: bool) -> Tensor:
    """Return x with the halves [a, b] of the last dimension as [-b, a], or each pair of neighbours so."""
    a, b = (x[..., ::2], x[..., 1::2]) if pairs else x.chunk(2, -1)
    return torch.stack([-b, a], -1).flatten(-2) if pairs else torch.cat([-b, a], -1)
