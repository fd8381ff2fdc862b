"""The tensors of a program while it is checked, and the DRAM that their buffers take.

TTNN's own sum goes through all free and taken blocks of DRAM, which takes milliseconds where there are a thousand: a
program would wait for these sums longer than for its calls. So the buffers are counted as tensors come and go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from ttc.ir import Value
from ttc.runtime.run.device import Tensor

Buffer = tuple[int, int]
"""A buffer's number, which tensors have in common that share the buffer, and the bytes that it takes of each bank."""


class Buffers(Protocol):
    """The part of a mock card that tells of buffers."""

    def dram_buffer(self, tensor: Tensor) -> Buffer | None: ...


class Tensors:
    """Tensors by value; those of a loop's body are counted together with those `around` the loop."""

    def __init__(self, card: Buffers, around: Tensors | None = None):
        self.card = card
        self._held: dict[Value, tuple[Tensor, Buffer | None]] = {}
        self._users: Counter[int] = around._users if around else Counter()  # by the buffer's number
        self._total = around._total if around else [0]

    @property
    def dram(self) -> int:
        """Return the bytes of each bank of DRAM in use."""
        return self._total[0]

    def __getitem__(self, value: Value) -> Tensor:
        return self._held[value][0]

    def __setitem__(self, value: Value, tensor: Tensor) -> None:
        buffer = self.card.dram_buffer(tensor)
        self._held[value] = tensor, buffer
        if buffer:
            number, size = buffer
            self._total[0] += 0 if self._users[number] else size
            self._users[number] += 1

    def release(self, values: Iterable[Value]) -> None:
        """Drop tensors; a buffer goes with the last tensor that has it, or has gone before by being freed."""
        for value in values:
            _, buffer = self._held.pop(value)
            if buffer and self._users[buffer[0]]:
                self._users[buffer[0]] -= 1
                self._total[0] -= 0 if self._users[buffer[0]] else buffer[1]

    def free(self, value: Value) -> None:
        """Note that the buffer of a tensor was freed, whoever has it."""
        _, buffer = self._held[value]
        if buffer and self._users.pop(buffer[0], 0):
            self._total[0] -= buffer[1]

    def release_all(self) -> None:
        """Drop all tensors of this set, but none of `around`."""
        self.release(list(self._held))
