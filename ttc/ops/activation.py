"""Activation functions of networks."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.unary import Unary

__all__ = [
    "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Relu", "Sigmoid", "Silu", "Softplus",
    "Softsign",
]  # fmt: skip


class HardSwish(Unary):
    """x * relu6(x + 3) / 6 (Howard et al. 2019)."""

    facts = Facts(Finite.ORDINARY, Exactness.LOST, span=(-0.375, inf))
    function = F.hardswish


class Mish(Unary):
    """x * tanh(softplus(x)) (Misra 2019)."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(-0.309, inf))
    function = F.mish


class Relu(Unary):
    """max(x, 0)."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, inf), slope=1)
    function = torch.relu
    floating = False


class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(0.0, 1.0), slope=1)
    function = torch.sigmoid


class Silu(Unary):
    """x * sigmoid(x)."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(-0.279, inf))
    function = F.silu


class Softsign(Unary):
    """x / (1 + |x|)."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(-1.0, 1.0), slope=1)
    function = F.softsign


@dataclass(frozen=True)
class Gelu(Unary):
    """x * Phi(x); `approximate` uses the tanh form (Hendrycks & Gimpel 2016)."""

    approximate: bool = False
    facts = Facts(Finite.ORDINARY, Exactness.LOST, span=(-0.171, inf))

    def eval(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh" if self.approximate else "none")


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """x where x > 0, else slope * x."""

    slope: float = 0.01
    facts = Facts(Finite.ALL, Exactness.LOST)

    def eval(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.slope)


@dataclass(frozen=True)
class Elu(Unary):
    """x where x > 0, else alpha * (exp(x) - 1)."""

    alpha: float = 1.0
    facts = Facts(Finite.ALL, Exactness.LOST)

    def eval(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * torch.expm1(x))


@dataclass(frozen=True)
class Softplus(Unary):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold (torch's rule)."""

    beta: float = 1.0
    threshold: float = 20.0
    facts = Facts(Finite.ALL, Exactness.LOST, span=(0.0, inf))

    def eval(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)


@dataclass(frozen=True)
class HardSigmoid(Unary):
    """max(0, min(1, alpha * x + beta)); torch's hardsigmoid has alpha = 1/6, beta = 1/2."""

    alpha: float = 1 / 6
    beta: float = 0.5
    facts = Facts(Finite.ALL, Exactness.LOST, span=(0.0, 1.0))

    def eval(self, x: Tensor) -> Tensor:
        return torch.clamp(self.alpha * x + self.beta, 0, 1)
