"""Views of parts of a tensor, without a device program: columns in shards of their own, or rows in DRAM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ttc.calls.call import Call, spec_of
from ttc.errors import Refusal
from ttc.ir import DRAM, Buffer, Layout, MemoryConfig, Sharding, Spec, Value


@dataclass(frozen=True)
class Narrow(Call, name="ttnn.narrow"):
    """The `length` columns, or outermost entries, from `start` on, which stay where they are.

    Columns are those of whole width shards, on cores that form a rectangle: a part of a row of cores, or whole rows.
    Entries are those of a tensor in DRAM, of which TTNN demands that the first begin in the first bank. TTNN narrows
    other dimensions and memories, too; ttc has no use for those.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    dim: int
    start: int
    length: int

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        if spec.memory == DRAM:
            return self._entries(spec)
        shard = spec.memory.shard
        sharded = (spec.memory.buffer, spec.memory.sharding) == (Buffer.L1, Sharding.WIDTH_SHARDED)
        if not sharded or shard is None or spec.layout is not Layout.TILE:
            raise Refusal("columns are viewed of tensors in TILE layout and in stated width shards")
        if self.dim != spec.rank - 1:
            raise Refusal(f"dimension {self.dim} of {list(spec.shape)} does not count columns")
        if not 0 <= self.start < self.start + self.length <= spec.shape[-1]:
            raise Refusal(f"{self.length} columns from {self.start} on are none of {spec.shape[-1]}")
        width, (columns, _) = shard.shape[1], shard.grid
        if self.start % width or self.length % width:
            raise Refusal(f"{self.length} columns from {self.start} on are no whole shards of {width}")
        first, count = self.start // width, self.length // width
        if first % columns + count > columns and (first % columns or count % columns):
            raise Refusal(f"shards {first} to {first + count - 1} form no rectangle in rows of {columns} cores")
        memory = MemoryConfig(Buffer.L1, Sharding.WIDTH_SHARDED)  # on the cores that TTNN finds
        return replace(spec, shape=(*spec.shape[:-1], self.length), memory=memory)

    def _entries(self, spec: Spec) -> Spec:
        if self.dim != 0 or spec.rank < 3 or spec.layout is not Layout.TILE:
            raise Refusal("entries are viewed of tensors in TILE layout along the outermost of at least 3 dimensions")
        if isinstance(self.start, int) and not 0 <= self.start < self.start + self.length <= spec.shape[0]:
            raise Refusal(f"{self.length} entries from {self.start} on are none of {spec.shape[0]}")
        return replace(spec, shape=(self.length, *spec.shape[1:]))

    def alias(self) -> Value | None:
        return self.input_tensor
