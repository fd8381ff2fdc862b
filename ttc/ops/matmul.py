"""Matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ir.types import broadcast
from ttc.ops.activation import Epilogue, accept_epilogue, epilogue
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import same_dtype

__all__ = ["Linear", "Matmul"]


@dataclass(frozen=True)
class Matmul(Op):
    """a @ b over the last two dimensions; leading ones broadcast: [..., M, K] @ [..., K, N]."""

    a: Value
    b: Value
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.SIGNAL, overflows=True)

    def infer(self) -> TensorType:
        ranks = min(self.a.type.rank, self.b.type.rank)
        require(ranks >= 2, f"needs at least 2 dimensions each, got {self.a.type} and {self.b.type}")
        (*batch_a, m, k), (*batch_b, inner, n) = self.a.shape, self.b.shape
        require(k == inner, f"inner sizes differ: {k} in {self.a.type} and {inner} in {self.b.type}")
        return TensorType(same_dtype(self.a, self.b), (*broadcast(tuple(batch_a), tuple(batch_b)), m, n))

    def eval(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.matmul(a, b)


@dataclass(frozen=True)
class Linear(Op):
    """activation(x @ w.T + bias): x [..., K], w [N, K], bias [N]."""

    x: Value
    w: Value
    bias: Value | None = None
    activation: Epilogue = ""
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.SIGNAL, overflows=True)

    def infer(self) -> TensorType:
        accept_epilogue(self.activation)
        require(self.w.type.rank == 2, f"the weight must be [N, K], got {self.w.type}")
        n, k = self.w.shape
        require(
            self.x.type.rank >= 1 and self.x.shape[-1] == k, f"x {self.x.type} does not end in the weight's K = {k}"
        )
        require(self.bias is None or self.bias.shape == (n,), f"the bias must be [{n}]")
        return TensorType(same_dtype(self.x, self.w, self.bias), (*self.x.shape[:-1], n))

    def eval(self, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        return epilogue(self.activation, F.linear(x, w, bias))
