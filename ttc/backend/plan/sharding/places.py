"""Places of shards in L1, as TTNN's allocator gives them while a program runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ttc.analysis.memory import Arena
from ttc.calls.call import Workspace
from ttc.ir import Value


class Places:
    """The blocks of each core's L1 that values in shards lie in; a change returns other places."""

    def __init__(self, arena: Arena, addresses: Mapping[Value, int] | None = None):
        self._arena, self._addresses = arena, dict(addresses or {})

    def moved(self, value: Value, size: int) -> Places | None:
        """Return the places once a value has left its block, if any, for one of `size` bytes, 0 for none.

        The value holds both blocks for a while. None where no free block is as large.
        """
        arena, addresses = self._arena.copy(), dict(self._addresses)
        address = arena.take(size) if size else None
        if size and address is None:
            return None
        if value in addresses:
            arena.give_back(addresses.pop(value))
        if address is not None:
            addresses[value] = address
        return Places(arena, addresses)

    def running(self, result: Value, size: int, work: Workspace) -> tuple[Places, int] | None:
        """Return the places past a call that makes a result, and the bytes that circular buffers may take meanwhile.

        A `size` of 0 is a result without a block. None where no free block is as large as the result, or a buffer that
        the call works in.
        """
        arena = self._arena.copy()
        begun, address = arena.begin(work), arena.take(size)
        if begun is None or (size and address is None):
            return None
        free = arena.lowest
        arena.end(begun)
        made = {} if address is None else {result: address}
        return Places(arena, {**self._addresses, **made}), free

    def without(self, values: Iterable[Value]) -> Places:
        """Return the places once values have left their blocks."""
        arena, addresses = self._arena.copy(), dict(self._addresses)
        for value in values:
            arena.give_back(addresses.pop(value))
        return Places(arena, addresses)

    def renamed(self, operand: Value, result: Value) -> Places:
        """Return the places where a result lies in the block of an operand."""
        return Places(self._arena, {result if value == operand else value: at for value, at in self._addresses.items()})

    @property
    def free(self) -> int:
        """Return the bytes below the lowest block, which circular buffers may take."""
        return self._arena.lowest
