"""Attention of one query of each sequence, over keys and values that lie in DRAM."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from math import prod

from ttc.calls.attention import SDPAProgramConfig
from ttc.calls.cache import CACHED
from ttc.calls.call import EXACT, Call, ComputeKernelConfig, Workspace, accept, accept_head, spec_of
from ttc.calls.heads_decode import is_on_one_core
from ttc.calls.sizes import tile_bytes, tiles_along
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, DType, Layout, MemoryConfig, Spec, Value

TAKEN = frozenset({DType.bf16})

MOST_CORES = 16
"""The most cores that share the keys of one head."""


def takes_heads(heads: int) -> bool:
    """Return whether the kernel takes this many heads: their rows of tiles are a power of two."""
    rows = tiles_along(heads)
    return rows & (rows - 1) == 0


@dataclass(frozen=True)
class ScaledDotProductAttentionDecode(Call, name="ttnn.transformer.scaled_dot_product_attention_decode"):
    """softmax(scale * q @ k.T + attn_mask) @ v: q [1, B, H, D], k and v [B, Hkv, S, D]; the result is as q.

    The cores share the keys of a sequence, in chunks whose size is a power of two and divides S. Keys and values may be
    bfp8. All but the result and
    the mask [1 or B, 1, H, S] are in DRAM; q may lie on one core instead.
    """

    input_tensor_q: Value
    input_tensor_k: Value
    input_tensor_v: Value
    _: KW_ONLY
    program_config: SDPAProgramConfig
    is_causal: bool = True
    attn_mask: Value | None = None
    scale: float | None = None
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    def infer(self) -> Spec:
        for operand in (self.input_tensor_q, self.input_tensor_k, self.input_tensor_v):
            taken = TAKEN if operand is self.input_tensor_q else CACHED
            accept(operand, Layout.TILE, taken, "q, k and v")
            if operand.type.rank != 4:
                raise Refusal(f"attention takes rank 4, got {list(operand.shape)}")
            if spec_of(operand).memory != DRAM and not (operand is self.input_tensor_q and self._on_one_core):
                raise Refusal("k and v must be in DRAM, and q too or on one core")
        q, k, v = self.input_tensor_q.shape, self.input_tensor_k.shape, self.input_tensor_v.shape
        if k != v or (q[0], q[1], q[3]) != (1, k[0], k[3]) or q[2] % k[1]:
            raise Refusal(f"q {list(q)}, k {list(k)} and v {list(v)} do not fit")
        accept_head(q[3])
        if not takes_heads(q[2]):
            raise Refusal(f"{q[2]} heads are {tiles_along(q[2])} rows of tiles, no power of two")
        if self.is_causal:
            raise Refusal("causal attention of one query needs positions, which ttc does not give")
        self._check_chunks(k[0], k[2])
        self._check_mask(q, k)
        return replace(spec_of(self.input_tensor_q), memory=self.memory_config or DRAM)

    def _check_chunks(self, batch: int, keys: int) -> None:
        size, grid = self.program_config.k_chunk_size, self.program_config.compute_with_storage_grid_size
        if size < TILE or size & (size - 1) or keys % size:
            raise Refusal(f"chunks of {size} keys are no power of two that divides {keys}")
        if batch > prod(grid):
            raise Refusal(f"{batch} sequences are more than {prod(grid)} cores")

    def _check_mask(self, q: tuple[int, ...], k: tuple[int, ...]) -> None:
        if self.attn_mask is None:
            return
        accept(self.attn_mask, Layout.TILE, TAKEN, "the mask")
        mask = self.attn_mask.shape
        if len(mask) != 4 or mask[0] not in (1, q[1]) or mask[1:] != (1, q[2], k[2]):
            raise Refusal(f"the mask {list(mask)} does not fit scores {[q[1], 1, q[2], k[2]]}")

    @property
    def _on_one_core(self) -> bool:
        return is_on_one_core(spec_of(self.input_tensor_q))

    @property
    def cores_per_head(self) -> int:
        """Return how many cores share the keys of one head of one sequence."""
        return cores_of_head(self.program_config, prod(self.input_tensor_k.shape[:2]))

    @property
    def cores(self) -> int:
        """Return how many cores work."""
        heads = prod(self.input_tensor_k.shape[:2])
        return min(prod(self.program_config.compute_with_storage_grid_size), heads * self.cores_per_head)

    def workspace(self, target: Target) -> Workspace:
        """Return two chunks each of k, v and scores, and the sums of all cores of a head: fitted to captures."""
        tiles = decode_tiles(self.input_tensor_q, self.program_config, self.cores_per_head)
        return Workspace(circular_buffers=tiles * tile_bytes(DType.bf16))


def cores_of_head(config: SDPAProgramConfig, groups: int) -> int:
    """Return how many cores share the keys of each of `groups` heads of keys of all sequences."""
    return max(1, min(MOST_CORES, prod(config.compute_with_storage_grid_size) // groups))


def decode_tiles(q: Value, config: SDPAProgramConfig, cores: int) -> int:
    """Count the tiles that a core needs for q [1, B, H, D], where `cores` share the keys of a head."""
    _, _, heads, size = map(tiles_along, q.shape)
    keys = tiles_along(config.k_chunk_size)
    return keys * (4 * size + 2 * heads) + heads * ((cores + 6) * size + 2 * cores + 9) + 3
