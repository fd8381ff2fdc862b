"""Where the buffers of a program lie in L1, beside where the plan has them from its replay of TTNN's allocator."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Protocol

from ttc.analysis.memory import page_bytes
from ttc.ir import L1, TILE, DType, Spec, Value
from ttc.runtime.run.device import Tensor


class L1Buffers(Protocol):
    """The part of a mock card that makes tensors and tells where those in L1 begin."""

    def empty(self, spec: Spec) -> Tensor: ...
    def l1_address(self, tensor: Tensor) -> int | None: ...


def l1_top(card: L1Buffers) -> int:
    """Return the address at which an empty L1 ends: TTNN gives the highest bytes first."""
    tile = Spec(DType.bf16, (TILE, TILE), memory=L1)
    return (card.l1_address(card.empty(tile)) or 0) + page_bytes(tile)


class Addresses:
    """The buffers of one program in L1 that were found so far, and how many of them are not where they were planned."""

    def __init__(self, card: L1Buffers, top: int):
        """Take the address at which L1 ends; `planned` is how far below that each value's buffer is to begin."""
        self.found = self.misplaced = 0
        self.planned: Mapping[Hashable, int] = {}
        self._card, self._top = card, top

    def note(self, value: Value, tensor: Tensor) -> None:
        """Compare the address of a value's buffer with the plan; views, and values outside L1, have no plan."""
        planned, address = self.planned.get(value), self._card.l1_address(tensor)
        if planned is not None and address is not None:
            self.found += 1
            self.misplaced += self._top - address != planned
