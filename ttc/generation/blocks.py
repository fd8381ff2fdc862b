"""`Blocks`: which blocks of a pool are free, and which a sequence holds."""

from __future__ import annotations

from ttc.errors import InputError


class Blocks:
    """The `count` blocks of a pool, of `size` rows each; a sequence holds a list of their numbers, in order."""

    def __init__(self, count: int, size: int):
        self.count, self.size = count, size
        self._free = list(range(count))

    @property
    def free(self) -> int:
        """Return how many blocks no sequence holds."""
        return len(self._free)

    def extend(self, held: list[int], rows: int) -> None:
        """Take blocks until `rows` rows fit into those that are held; InputError, and none taken, for too few."""
        wanted = -(-rows // self.size) - len(held)
        if wanted > self.free:
            raise InputError(
                f"{rows} tokens take {wanted} more blocks of {self.size} rows, and {self.free} of {self.count} are "
                "free: end a sequence, or compile with more blocks"
            )
        if wanted > 0:
            held += self._free[:wanted]
            del self._free[:wanted]

    def release(self, held: list[int], kept: int = 0) -> None:
        """Give blocks back, all but the first `kept`; they are taken last."""
        self._free += held[kept:]
        del held[kept:]
