"""Activations of the gates and states of recurrences: by name, with parameters where ONNX's defaults differ.

`tanh`, `leaky_relu` (by 0.01) or `leaky_relu(0.3)` is the form in a program's text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import require


@dataclass(frozen=True)
class Kind:
    """A family of activations: a function of a tensor and parameters, and the usual parameters."""

    function: Callable[..., Tensor]
    usual: tuple[float, ...] = ()


KINDS: dict[str, Kind] = {
    "sigmoid": Kind(torch.sigmoid),
    "tanh": Kind(torch.tanh),
    "relu": Kind(torch.relu),
    "softsign": Kind(F.softsign),
    "softplus": Kind(F.softplus),
    "hard_sigmoid": Kind(lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0.0, 1.0), (0.2, 0.5)),
    "elu": Kind(F.elu, (1.0,)),
    "leaky_relu": Kind(F.leaky_relu, (0.01,)),
    "thresholded_relu": Kind(lambda x, alpha: torch.where(x > alpha, x, torch.zeros_like(x)), (1.0,)),
    "scaled_tanh": Kind(lambda x, alpha, beta: alpha * torch.tanh(beta * x), (1.0, 1.0)),
    "affine": Kind(lambda x, alpha, beta: alpha * x + beta, (1.0, 0.0)),
}


@dataclass(frozen=True)
class Gate:
    """An activation with all its parameters."""

    name: str
    parameters: tuple[float, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        return KINDS[self.name].function(x, *self.parameters)

    def __str__(self) -> str:
        usual = self.parameters == KINDS[self.name].usual
        return self.name if usual else f"{self.name}({', '.join(map(repr, self.parameters))})"

    @property
    def keeps_zero(self) -> bool:
        """Return whether the activation maps 0 to 0."""
        return float(self(torch.zeros(()))) == 0


def gate(text: str) -> Gate:
    """Return the activation that `text` names; TypeRuleError for an unknown name."""
    name, _, rest = text.removesuffix(")").partition("(")
    require(name in KINDS, f"no activation is called {text!r}")
    usual = KINDS[name].usual
    try:
        parameters = tuple(map(float, rest.split(","))) if rest else usual
    except ValueError:
        parameters = ()
    require(len(parameters) == len(usual), f"the activation {name} takes {len(usual)} parameters, got {text!r}")
    return Gate(name, parameters)
