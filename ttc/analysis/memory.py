"""Sizes of buffers in memory, and their addresses by TTNN's allocator."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable

from ttc.calls.call import Workspace
from ttc.calls.target import Target
from ttc.ir import TILE, Buffer, Layout, Sharding, Spec, round_up

L1_ALIGNMENT = 16
DRAM_ALIGNMENT = {"wormhole_b0": 32, "blackhole": 64}
"""Bytes to which a page in DRAM is rounded up in each bank, by architecture; buffers in L1, too, are aligned to them.
"""


def page_bytes(spec: Spec) -> int:
    """Return the bytes of a page, the unit of interleaved buffers: a tile, or in ROW_MAJOR a row."""
    if spec.layout is Layout.TILE:
        return int(TILE * TILE * spec.dtype.bytes)
    return int((spec.shape[-1] if spec.shape else 1) * spec.dtype.bytes)


def bank_bytes(spec: Spec, target: Target) -> int:
    """Return a tensor's bytes in the fullest bank of its memory: a core's L1, or a DRAM bank."""
    in_l1, alignment = spec.memory.buffer is Buffer.L1, DRAM_ALIGNMENT[target.arch]
    if spec.memory.shard is not None:
        height, width = spec.memory.shard.shape
        return round_up(int(height * width * spec.dtype.bytes), alignment)
    page = page_bytes(spec)
    if not page:
        return 0
    banks = target.cores if in_l1 else target.dram_banks
    if spec.memory.sharding is not Sharding.INTERLEAVED:
        banks = min(target.grid)  # TTNN chooses the shards: at least as many cores as one line of the grid
    pages = -(-spec.stored_bytes // page)
    return round_up(-(-pages // banks) * round_up(page, L1_ALIGNMENT if in_l1 else alignment), alignment)


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
        spread, beside = self.take(work.spread), self.take(work.l1)
        if spread is not None and not work.stays:
            self.give_back(spread)
        shards = self.take(work.shards)
        sought = ((work.spread, spread), (work.l1, beside), (work.shards, shards))
        found = [address for address in (spread if work.stays else None, beside, shards) if address is not None]
        if all(address is not None for size, address in sought if size):
            return found
        self.end(found)
        return None

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
