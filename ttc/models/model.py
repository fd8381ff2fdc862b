"""What ttc knows of a model: how to build it from its published configuration, and the accuracy it must keep."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ttc.errors import InputError

Built = tuple[nn.Module, dict[str, Any]]
"""A module, and example arguments by parameter name of its `forward`: tensors, and constants where it takes them."""


@dataclass(frozen=True)
class Model:
    """One model: `build(size)` makes it with seeded random weights (or its trained ones, where a package has them).

    `sizes` names the configurations, the first being the published one; `pcc` is what a bf16 program must
    reach against torch.
    """

    name: str
    summary: str
    builder: Callable[[str], Built]
    sizes: tuple[str, ...] = ("real", "tiny")
    pcc: float = 0.999

    def build(self, size: str = "real", *, fake: bool = False, seed: int = 0) -> Built:
        """The module and its inputs; `fake` builds it on the meta device, with no weight data at all."""
        if size not in self.sizes:
            raise InputError(f"{self.name} has the sizes {', '.join(self.sizes)}, not {size!r}")
        torch.manual_seed(seed)
        with warnings.catch_warnings(), torch.device("meta" if fake else "cpu"):
            warnings.simplefilter("ignore", FutureWarning)  # about how the packages call torch
            warnings.filterwarnings("ignore", "dropout option adds dropout", UserWarning)  # the same
            module, inputs = self.builder(size)
        return module.eval(), inputs
