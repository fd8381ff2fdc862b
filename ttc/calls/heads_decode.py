"""Heads of one token: rows cut into queries, keys and values on one core, and attention's result joined into a row."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.call import Call, accept, accept_head, spec_of
from ttc.calls.convolution import CoreRectangle
from ttc.errors import Refusal
from ttc.ir import TILE, Buffer, DType, Layout, MemoryConfig, Sharding, ShardSpec, Spec, Value, round_up

CUT = frozenset({DType.bf16})

IN_HEIGHT = MemoryConfig(Buffer.L1, Sharding.HEIGHT_SHARDED)
"""The memory that TTNN is asked for: a shard for each sequence, on the first cores."""


def on_one_core(heads: int, size: int) -> MemoryConfig:
    """Return the memory of the heads of one token: all of them on the first core, size elements each."""
    return replace(IN_HEIGHT, shard=ShardSpec((1, 1), (round_up(heads, TILE), size)))


def is_on_one_core(spec: Spec) -> bool:
    """Return whether a tensor is the heads [1, 1, H, D] of one token, all on the first core."""
    return spec.rank == 4 and spec.shape[:2] == (1, 1) and spec.memory == on_one_core(spec.shape[2], spec.shape[3])


@dataclass(frozen=True)
class NlpCreateQkvHeadsDecode(Call, name="ttnn.experimental.nlp_create_qkv_heads_decode"):
    """The row [1, 1, 1, (H + 2 * Hkv) * D] of one token as q [1, 1, H, D], k and v [1, 1, Hkv, D] on one core.

    The row is interleaved or in width shards, D a multiple of 32.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    _: KW_ONLY
    num_heads: int
    num_kv_heads: int
    memory_config: MemoryConfig = IN_HEIGHT

    def infer(self) -> tuple[Spec, Spec, Spec]:
        accept(self.input_tensor, Layout.TILE, CUT, "input_tensor")
        spec = spec_of(self.input_tensor)
        if spec.rank != 4 or spec.shape[:3] != (1, 1, 1) or spec.shape[3] % (self.num_heads + 2 * self.num_kv_heads):
            raise Refusal(f"{list(spec.shape)} is no row of {self.num_heads} + 2 * {self.num_kv_heads} heads")
        head = spec.shape[3] // (self.num_heads + 2 * self.num_kv_heads)
        accept_head(head)
        if spec.memory.sharding not in (Sharding.INTERLEAVED, Sharding.WIDTH_SHARDED):
            raise Refusal(f"the row is in {spec.memory}; accepted are interleaved memory and width shards")
        if self.memory_config != IN_HEIGHT:
            raise Refusal("the heads of one token lie in height shards")
        q, k = (
            replace(spec, shape=(1, 1, heads, head), memory=on_one_core(heads, head))
            for heads in (self.num_heads, self.num_kv_heads)
        )
        return q, k, k


@dataclass(frozen=True)
class NlpConcatHeadsDecode(Call, name="ttnn.experimental.nlp_concat_heads_decode"):
    """Heads [1, 1, H, D] of one token, on one core, as a row of tiles [1, 1, 32, H * D]: a head on each core.

    The first row is the heads side by side; the other 31 hold no numbers that mean anything.
    """

    moves: ClassVar[bool] = True
    input_tensor: Value
    _: KW_ONLY
    num_heads: int
    sub_core_grids: CoreRectangle

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, CUT, "input_tensor")
        spec = spec_of(self.input_tensor)
        if not is_on_one_core(spec) or spec.shape[2] != self.num_heads:
            raise Refusal(f"{spec} is not {self.num_heads} heads [1, 1, H, D] of one token on one core")
        grid = (self.sub_core_grids.columns, self.sub_core_grids.rows)
        if grid[0] * grid[1] != self.num_heads:
            raise Refusal(f"{self.num_heads} heads are not joined on {grid[0]} x {grid[1]} cores")
        size = spec.shape[3]
        memory = MemoryConfig(Buffer.L1, Sharding.WIDTH_SHARDED, ShardSpec(grid, (TILE, size)))
        return replace(spec, shape=(1, 1, TILE, self.num_heads * size), memory=memory)
