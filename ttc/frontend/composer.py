"""The builder's interface for compositions that both front ends share."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ttc.ops.expr import Expr


class Composer(Protocol):
    """A builder of either front end, which adds known tensors in their shortest form."""

    def constant(self, tensor: Tensor, /) -> Expr:
        """Add a known tensor."""
        ...
