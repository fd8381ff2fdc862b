"""Description of a model: its build from the published configuration, and the accuracy that its program must keep."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ttc.errors import InputError

Built = tuple[nn.Module, dict[str, Any]]
"""A module, and example arguments by parameter name of its `forward`: tensors, and constants where `forward` takes
them.
"""

Weigh = Callable[..., None]
"""Gives a module its weights; `defaults` names the weights that may stay as they are."""


@dataclass(frozen=True)
class Model:
    """One model: `build(size)` makes a module with seeded random weights (or trained ones, where a package has them).

    `sizes` names the configurations, the first being the published one; `pcc` is the Pearson correlation with torch
    that a bf16 program must reach.
    """

    name: str
    summary: str
    builder: Callable[[str], Built]
    sizes: tuple[str, ...] = ("real", "tiny")
    pcc: float = 0.999

    @property
    def smallest(self) -> str:
        """Return the tiny size, or the published one of a model that has no other."""
        return "tiny" if "tiny" in self.sizes else self.sizes[0]

    def build(self, size: str = "real", *, fake: bool = False, seed: int = 0) -> Built:
        """Build the module and its inputs; `fake` builds on the meta device, with no weight data at all."""
        if size not in self.sizes:
            raise InputError(f"{self.name} has the sizes {', '.join(self.sizes)}, not {size!r}")
        with seeded(seed), torch.device("meta" if fake else "cpu"):
            module, inputs = self.builder(size)
        return module.eval(), inputs


def as_built(module: nn.Module, defaults: Collection[str] = (), part: str = "") -> None:
    """Keep the weights that a module was built with."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw weights and inputs from a seed on, without warnings about how packages call torch."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "dropout option adds dropout", UserWarning)
        yield
