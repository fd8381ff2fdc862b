"""Activation functions of networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import Op, TensorType, Value
from ttc.ops.rules import check_floating
from ttc.ops.unary import Unary


class HardSwish(Unary):
    """x * relu6(x + 3) / 6 (Howard et al. 2019)."""

    function = F.hardswish


class Mish(Unary):
    """x * tanh(softplus(x)) (Misra 2019)."""

    function = F.mish


class Relu(Unary):
    """max(x, 0)."""

    function = torch.relu
    floating = False


class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    function = torch.sigmoid


class Silu(Unary):
    """x * sigmoid(x)."""

    function = F.silu


class Softsign(Unary):
    """x / (1 + |x|)."""

    function = F.softsign


@dataclass(frozen=True)
class Gelu(Op):
    """x * Phi(x); `approximate` uses the tanh form (Hendrycks & Gimpel 2016)."""

    x: Value
    approximate: bool = False

    def infer(self) -> TensorType:
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh" if self.approximate else "none")


@dataclass(frozen=True)
class LeakyRelu(Op):
    """x where x > 0, else slope * x."""

    x: Value
    slope: float = 0.01

    def infer(self) -> TensorType:
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.slope)


@dataclass(frozen=True)
class Elu(Op):
    """x where x > 0, else alpha * (exp(x) - 1)."""

    x: Value
    alpha: float = 1.0

    def infer(self) -> TensorType:
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * torch.expm1(x))


@dataclass(frozen=True)
class Softplus(Op):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold (torch's rule)."""

    x: Value
    beta: float = 1.0
    threshold: float = 20.0

    def infer(self) -> TensorType:
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)


@dataclass(frozen=True)
class HardSigmoid(Op):
    """max(0, min(1, alpha * x + beta)); torch's has alpha = 1/6, beta = 1/2."""

    x: Value
    alpha: float = 1 / 6
    beta: float = 0.5

    def infer(self) -> TensorType:
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.clamp(self.alpha * x + self.beta, 0, 1)
