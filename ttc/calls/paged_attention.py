"""Attention to pools of blocks, which hold the keys and values of many sequences (`ttc/ops/paged.py`)."""

from __future__ import annotations

import struct
from dataclasses import KW_ONLY, dataclass, replace
from math import prod

from ttc.calls.attention import SDPAProgramConfig, chunk_tiles
from ttc.calls.attention_decode import TAKEN, cores_of_head, decode_tiles, takes_heads
from ttc.calls.cache import CACHED, table_bytes
from ttc.calls.call import EXACT, Call, ComputeKernelConfig, Workspace, accept, spec_of
from ttc.calls.heads_decode import is_on_one_core
from ttc.calls.sizes import tile_bytes, tiles_along
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, DType, Layout, MemoryConfig, Spec, Value

ENTRIES = 8
"""Page tables of prompts have rows of a multiple of this many entries: 32 bytes."""


@dataclass(frozen=True)
class PagedAttentionCall(Call, abstract=True):
    """Operands of attention to pools k and v [N, Hkv, S, D], in DRAM, through a page table i32 [B, P]."""

    input_tensor_q: Value
    input_tensor_k: Value
    input_tensor_v: Value
    page_table_tensor: Value
    _: KW_ONLY
    scale: float | None = None

    def _check(self, heads: int, sequences: int, positions: Value, counted: int) -> None:
        """Refuse pools that do not fit `heads` heads, and tables that are not of `sequences` and `counted` numbers."""
        q, k, v, table = (value.type for value in self.operands()[:4])
        accept(self.input_tensor_q, Layout.TILE, TAKEN, "q")
        for pool in (self.input_tensor_k, self.input_tensor_v):
            accept(pool, Layout.TILE, CACHED, "k and v")
        for value in (self.page_table_tensor, positions):
            accept(value, Layout.ROW_MAJOR, frozenset({DType.i32}), "a table of integers")
        if any(spec_of(value).memory != DRAM for value in self.operands()[1:]):
            raise Refusal("k, v and tables of integers must be in DRAM")
        if q.rank != 4 or k.rank != 4 or k != v or q.shape[3] != k.shape[3] or heads % k.shape[1]:
            raise Refusal(f"q {list(q.shape)}, k {list(k.shape)} and v {list(v.shape)} do not fit")
        if q.shape[3] % TILE or k.shape[2] % TILE:
            raise Refusal(f"heads of {q.shape[3]} and blocks of {k.shape[2]} must be multiples of the tile ({TILE})")
        if table.rank != 2 or table.shape[0] != sequences or positions.shape != (counted,):
            raise Refusal(f"{list(table.shape)} and {list(positions.shape)} are no tables of {sequences} sequences")

    @property
    def keys(self) -> int:
        """Return the rows of a sequence that its blocks hold."""
        return self.page_table_tensor.shape[1] * self.input_tensor_k.shape[2]


def _check_chunk(size: int) -> None:
    if size < TILE or size & (size - 1):
        raise Refusal(f"chunks of {size} keys are no power of two of at least a tile ({TILE})")


@dataclass(frozen=True)
class PagedScaledDotProductAttentionDecode(
    PagedAttentionCall, name="ttnn.transformer.paged_scaled_dot_product_attention_decode"
):
    """softmax(scale * q @ k.T) @ v of one query of each sequence: q [1, B, H, D]; the result is as q.

    Sequence b attends to its rows 0 .. cur_pos_tensor[b], or to the last `sliding_window_size` of them; at -1 nothing
    is computed. The cores share the keys of a sequence in chunks of a power of two. Keys and values may be bfp8. All
    but the result are in DRAM; q of one sequence may lie on one core instead.
    """

    _: KW_ONLY
    cur_pos_tensor: Value
    is_causal: bool = True
    sliding_window_size: int | None = None
    memory_config: MemoryConfig | None = None
    program_config: SDPAProgramConfig
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    def infer(self) -> Spec:
        q = spec_of(self.input_tensor_q)
        _, batch, heads, _ = (*q.shape, *(0,) * 4)[:4]
        self._check(heads, batch, self.cur_pos_tensor, batch)
        if q.shape[0] != 1 or not self.is_causal:
            raise Refusal(f"q {list(q.shape)} is not one query of each sequence that sees the rows before")
        if q.memory != DRAM and not is_on_one_core(q):
            raise Refusal("q must be in DRAM, or one sequence's heads on one core")
        if not takes_heads(heads):
            raise Refusal(f"{heads} heads are {tiles_along(heads)} rows of tiles, no power of two")
        _check_chunk(self.program_config.k_chunk_size)
        cores = prod(self.program_config.compute_with_storage_grid_size)
        if batch > cores:
            raise Refusal(f"{batch} sequences are more than {cores} cores")
        return replace(q, memory=self.memory_config or DRAM)

    @property
    def groups(self) -> int:
        """Count the heads of keys of all sequences."""
        return self.input_tensor_q.shape[1] * self.input_tensor_k.shape[1]

    @property
    def cores_per_head(self) -> int:
        """Return how many cores share the keys of one head of one sequence."""
        return cores_of_head(self.program_config, self.groups)

    @property
    def cores(self) -> int:
        """Return how many cores work."""
        return min(prod(self.program_config.compute_with_storage_grid_size), self.groups * self.cores_per_head)

    def workspace(self, target: Target) -> Workspace:
        """Return two chunks each of k, v and scores, the sums of all cores of a head, a window's mask, and integers."""
        tiles = decode_tiles(self.input_tensor_q, self.program_config, self.cores_per_head)
        tiles += 0 if self.sliding_window_size is None else tiles_along(self.input_tensor_q.shape[2])
        integers = table_bytes(self.page_table_tensor.shape[1]) + 2 * table_bytes(self.input_tensor_q.shape[1])
        return Workspace(tiles * tile_bytes(DType.bf16) + integers)


@dataclass(frozen=True)
class ChunkedScaledDotProductAttention(
    PagedAttentionCall, name="ttnn.transformer.chunked_scaled_dot_product_attention"
):
    """softmax(scale * q @ k.T) @ v of queries q [1, H, T, D] of one sequence, from a position on; the result is as q.

    Query t attends to the sequence's rows up to chunk_start_idx_tensor[0] + t, or to the last `sliding_window_size` of
    them. The start must be a multiple of both chunks. Keys and values may be bfp8; the page table has 8 * n entries.
    """

    _: KW_ONLY
    chunk_start_idx_tensor: Value
    memory_config: MemoryConfig | None = None
    program_config: SDPAProgramConfig
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    sliding_window_size: int | None = None

    def infer(self) -> Spec:
        q = spec_of(self.input_tensor_q)
        _, heads, queries, _ = (*q.shape, *(0,) * 4)[:4]
        self._check(heads, 1, self.chunk_start_idx_tensor, 1)
        if q.shape[0] != 1:
            raise Refusal(f"q {list(q.shape)} is not of one sequence")
        if self.page_table_tensor.shape[1] % ENTRIES:
            raise Refusal(f"a page table of {self.page_table_tensor.shape[1]} entries: no multiple of {ENTRIES}")
        if queries > self.keys:
            raise Refusal(f"{queries} queries are more than {self.keys} rows")
        if self.scale is not None and struct.unpack("f", struct.pack("f", self.scale))[0] != self.scale:
            raise Refusal(f"the scale {self.scale} is no number of fp32")
        for size in (self.program_config.q_chunk_size, self.program_config.k_chunk_size):
            _check_chunk(size)
        return replace(q, memory=self.memory_config or DRAM)

    def workspace(self, target: Target) -> Workspace:
        """Return two chunks each of q, k and v, the scores, the output and row statistics, and the page table."""
        count = chunk_tiles(self.program_config, self.input_tensor_q.shape[3], False, True)
        return Workspace(count * tile_bytes(DType.bf16) + table_bytes(self.page_table_tensor.shape[1]))
