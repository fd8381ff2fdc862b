"""What compositions that both front ends share take beside their operands."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ttc.ops.expr import Expr


class Composer(Protocol):
    """A builder of either front end: it adds known tensors in their shortest form."""

    def constant(self, tensor: Tensor, /) -> Expr:
        """A known tensor."""
        ...
