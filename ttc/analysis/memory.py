"""Addresses of buffers in L1 by TTNN's allocator."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable

from ttc.calls.call import Workspace


class Arena:
    """Free blocks of one core's L1: a buffer takes the highest that is large enough, at its upper end, as in TTNN."""

    def __init__(self, size: int):
        self.size = size
        self._free = [(0, size)]  # (start, end), ascending, never adjacent
        self._taken: dict[int, int] = {}

    def copy(self) -> Arena:
        """Return a bank of its own with the same blocks taken."""
        other = Arena(self.size)
        other._free, other._taken = list(self._free), dict(self._taken)
        return other

    def take(self, size: int) -> int | None:
        """Allocate `size` bytes and return the address, None if no block is large enough."""
        for index in range(len(self._free) - 1, -1, -1):
            start, end = self._free[index]
            if end - start >= size > 0:
                self._free[index : index + 1] = [(start, end - size)] if end - start > size else []
                self._taken[end - size] = end
                return end - size
        return None

    def begin(self, work: Workspace) -> list[int] | None:
        """Allocate the buffers that a call works in; return the addresses of those that go with the call's end.

        None, and nothing allocated, if one finds no block.
        """
        held: list[int] = []
        for index, size in enumerate(work.l1):
            address = self.take(size)
            if address is None:
                self.end(held)
                return None
            held.append(address)
            if 0 < index <= work.passing:
                self.give_back(held.pop(0))
        return held

    def end(self, addresses: Iterable[int]) -> None:
        """Free the buffers at `addresses`."""
        for address in addresses:
            self.give_back(address)

    def give_back(self, address: int) -> None:
        """Free the buffer at `address`; free blocks that touch become one."""
        end = self._taken.pop(address)
        index = bisect(self._free, (address, end))
        if index < len(self._free) and self._free[index][0] == end:
            end = self._free.pop(index)[1]
        if index and self._free[index - 1][1] == address:
            address = self._free.pop(index - 1)[0]
            index -= 1
        self._free.insert(index, (address, end))

    @property
    def lowest(self) -> int:
        """Return the lowest address in use; the size of the bank if no buffer is in use."""
        return min(self._taken, default=self.size)
