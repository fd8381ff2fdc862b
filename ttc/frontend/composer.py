"""What compositions that both front ends share are written to."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ttc.ir import Op


class Composer(Protocol):
    """A builder of either front end: adds ops, and known tensors in their shortest form."""

    def __call__(self, op: Op, /) -> Any:
        """The op's result, or its results."""
        ...

    def constant(self, tensor: Tensor, /) -> Any:
        """A known tensor."""
        ...
