"""Activation functions of networks: ops of their own, and by name as an attribute of products and recurrences.

`tanh`, `leaky_relu` (by 0.01) or `leaky_relu(0.3)` is the form of a name in a program's text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import Op, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.unary import Tanh, Unary

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


LINEAR_GELU = 16.0
"""Number from which on gelu(x) is x in every format, and in both forms."""


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Compute x * Phi(x); torch's kernel alone makes NaN of inf, and inf of the largest numbers."""
    return torch.where(x > LINEAR_GELU, x, F.gelu(x, approximate=approximate))


@dataclass(frozen=True)
class Gelu(Unary):
    """x * Phi(x); `approximate` uses the tanh form (Hendrycks & Gimpel 2016)."""

    approximate: bool = False
    facts = Facts(Finite.ALL, Exactness.LOST, span=(-0.171, inf))

    def eval(self, x: Tensor) -> Tensor:
        return gelu(x, "tanh" if self.approximate else "none")


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


@dataclass(frozen=True)
class Family:
    """Activations of one name: a function of a tensor and parameters, the usual parameters, and the op if there is one.

    The op's attributes are the parameters, in the same order.
    """

    function: Callable[..., Tensor]
    op: Callable[..., Op] | None = None
    usual: tuple[float, ...] = ()


FAMILIES: dict[str, Family] = {
    "relu": Family(torch.relu, Relu),
    "gelu": Family(gelu, Gelu),
    "gelu_tanh": Family(partial(gelu, approximate="tanh"), partial(Gelu, approximate=True)),
    "silu": Family(F.silu, Silu),
    "sigmoid": Family(torch.sigmoid, Sigmoid),
    "tanh": Family(torch.tanh, Tanh),
    "softsign": Family(F.softsign, Softsign),
    "softplus": Family(F.softplus, Softplus),
    "elu": Family(F.elu, Elu, (1.0,)),
    "leaky_relu": Family(F.leaky_relu, LeakyRelu, (0.01,)),
    "hard_sigmoid": Family(lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0.0, 1.0), HardSigmoid, (0.2, 0.5)),
    "thresholded_relu": Family(lambda x, alpha: torch.where(x > alpha, x, torch.zeros_like(x)), None, (1.0,)),
    "scaled_tanh": Family(lambda x, alpha, beta: alpha * torch.tanh(beta * x), None, (1.0, 1.0)),
    "affine": Family(lambda x, alpha, beta: alpha * x + beta, None, (1.0, 0.0)),
}

Epilogue = Literal["relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh", ""]
"""Activations that a product may end in, as its `activation` attribute names them; the empty name is none."""

GATES = tuple(name for name in FAMILIES if name not in ("gelu", "gelu_tanh", "silu"))
"""Activations that recurrences take."""


@dataclass(frozen=True)
class Activation:
    """A named activation with all its parameters."""

    name: str
    parameters: tuple[float, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        return FAMILIES[self.name].function(x, *self.parameters)

    def __str__(self) -> str:
        usual = self.parameters == FAMILIES[self.name].usual
        return self.name if usual else f"{self.name}({', '.join(map(repr, self.parameters))})"

    @property
    def keeps_zero(self) -> bool:
        """Return whether the activation maps 0 to 0."""
        return float(self(torch.zeros(()))) == 0


def activation_named(text: str) -> Activation:
    """Return the activation that `text` names; TypeRuleError for an unknown name or other than its parameters."""
    name, _, rest = text.removesuffix(")").partition("(")
    require(name in FAMILIES, f"no activation is called {text!r}")
    usual = FAMILIES[name].usual
    try:
        parameters = tuple(map(float, rest.split(","))) if rest else usual
    except ValueError:
        parameters = ()
    require(len(parameters) == len(usual), f"the activation {name} takes {len(usual)} parameters, got {text!r}")
    return Activation(name, parameters)


def accept_gate(text: str) -> None:
    """Require an activation that recurrences take; TypeRuleError otherwise."""
    require(activation_named(text).name in GATES, f"no recurrence has the activation {text!r}")


def accept_epilogue(name: str) -> None:
    """Require the name of an activation that products may end in; TypeRuleError otherwise."""
    require(name in get_args(Epilogue), f"no activation is called {name!r}")


def epilogue(name: Epilogue, y: Tensor) -> Tensor:
    """Apply the activation that a product ends in."""
    return activation_named(name)(y) if name else y


def epilogue_of(op: Op) -> Epilogue | None:
    """Return the name by which a product may end in this op of its result; None if it may not."""
    (x, *_) = op.operands()
    for name in get_args(Epilogue):
        if name and (made := FAMILIES[name].op) is not None and made(x) == op:
            return name
    return None
