"""Scaled dot-product attention, and the split of rows into heads and back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.call import (
    EXACT,
    FLOATS,
    NO_PROGRAM,
    ONE_PROGRAM,
    Call,
    ComputeKernelConfig,
    Dispatch,
    Workspace,
    accept,
    accept_head,
    spec_of,
)
from ttc.calls.sizes import ends_inside_tiles, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, TILE, DType, Layout, MemoryConfig, Spec, Value

ATTENDED = FLOATS - {DType.f32}
SPLIT = FLOATS - {DType.bfp4}


@dataclass(frozen=True)
class SDPAProgramConfig:
    """Chunks of attention: a core takes `q_chunk_size` queries and goes over the keys by `k_chunk_size`.

    Both sizes are multiples of 32. `exp_approx_mode` must be stated: TTNN's default is the approximate exponential.
    """

    compute_with_storage_grid_size: tuple[int, int]
    q_chunk_size: int
    k_chunk_size: int
    exp_approx_mode: bool | None = None


@dataclass(frozen=True)
class ScaledDotProductAttention(Call, name="ttnn.transformer.scaled_dot_product_attention"):
    """softmax(scale * q @ k.T + attn_mask) @ v: q [B, H, Sq, D], k and v [B, Hkv, Sk, D], D a multiple of 32.

    The mask, in DRAM, is [1 or B, 1 or H, Sq, Sk]; no mask with `is_causal`, which needs Sq = Sk. The result is
    [B, H, Sq, D], or [B, 1, Sq, H * D] with `output_concat_heads`, in DRAM unless stated. TTNN multiplies the mask by
    1 / scale first, in the mask's dtype: the mask's numbers must stay finite.
    """

    input_tensor_q: Value
    input_tensor_k: Value
    input_tensor_v: Value
    _: KW_ONLY
    attn_mask: Value | None = None
    is_causal: bool = True
    scale: float | None = None
    memory_config: MemoryConfig | None = None
    program_config: SDPAProgramConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT
    output_concat_heads: bool = False

    def infer(self) -> Spec:
        for operand in (self.input_tensor_q, self.input_tensor_k, self.input_tensor_v):
            accept(operand, Layout.TILE, ATTENDED, "q, k and v")
            if operand.type.rank != 4:
                raise Refusal(f"attention takes rank 4, got {list(operand.shape)}")
        q, k, v = self.input_tensor_q.shape, self.input_tensor_k.shape, self.input_tensor_v.shape
        if k != v or q[0] != k[0] or q[3] != k[3] or q[1] % k[1]:
            raise Refusal(f"q {list(q)}, k {list(k)} and v {list(v)} do not fit")
        accept_head(q[3])
        if self.is_causal and (self.attn_mask is not None or q[2] != k[2]):
            raise Refusal("causal attention takes no mask, and as many keys as queries")
        self._check_mask(q, k)
        shape = (q[0], 1, q[2], q[1] * q[3]) if self.output_concat_heads else q
        return replace(spec_of(self.input_tensor_q), shape=shape, memory=self.memory_config or DRAM)

    def _check_mask(self, q: tuple[int, ...], k: tuple[int, ...]) -> None:
        if self.attn_mask is None:
            return
        accept(self.attn_mask, Layout.TILE, ATTENDED, "the mask")
        if spec_of(self.attn_mask).memory != DRAM:
            raise Refusal("the mask must be in DRAM")
        mask = self.attn_mask.shape
        if len(mask) != 4 or mask[0] not in (1, q[0]) or mask[1] not in (1, q[1]) or mask[2:] != (q[2], k[2]):
            raise Refusal(f"the mask {list(mask)} does not fit scores {[q[0], q[1], q[2], k[2]]}")

    def dispatch(self, target: Target) -> Dispatch:
        """Count the attention, and the mask's product with 1 / scale."""
        return Dispatch(1 + (self.attn_mask is not None and self.scale != 1.0))

    def workspace(self, target: Target) -> Workspace:
        """Return two chunks each of q, k and v, the scores, the output in fp32, row statistics: fitted to captures."""
        config = self.program_config or SDPAProgramConfig(target.grid, TILE, TILE)
        head = self.input_tensor_q.shape[3]
        count = chunk_tiles(config, head, self.attn_mask is not None, self.is_causal)
        return Workspace(circular_buffers=count * tile_bytes(DType.bf16))


def chunk_tiles(config: SDPAProgramConfig, head: int, masked: bool, causal: bool) -> int:
    """Count the tiles of circular buffers per core for attention with these chunks and this head size (elements)."""
    q, k, d = config.q_chunk_size // TILE, config.k_chunk_size // TILE, -(-head // TILE)
    keys = (5.5 if causal else 4) * k * d
    scores = (4 if masked else 2.6) * q * k
    return 6 * q * d + 5 * q + 2 * k + 8 + int(keys + scores)


@dataclass(frozen=True)
class SplitQueryKeyValueAndSplitHeads(Call, name="ttnn.transformer.split_query_key_value_and_split_heads"):
    """[B, S, (H + 2 * Hkv) * D] as q [B, H, S, D], k [B, Hkv, S, D] (or [B, Hkv, D, S]) and v [B, Hkv, S, D]."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    _: KW_ONLY
    num_heads: int
    num_kv_heads: int | None = None
    transpose_key: bool = True
    memory_config: MemoryConfig | None = None

    def infer(self) -> tuple[Spec, Spec, Spec]:
        accept(self.input_tensor, Layout.TILE, SPLIT, "input_tensor")
        spec = spec_of(self.input_tensor)
        keys = self.num_kv_heads or self.num_heads
        if spec.rank != 3 or spec.shape[2] % (self.num_heads + 2 * keys):
            raise Refusal(f"{list(spec.shape)} does not split into {self.num_heads} + 2 * {keys} heads")
        batch, rows, width = spec.shape
        head = width // (self.num_heads + 2 * keys)
        accept_head(head)
        result = replace(spec, shape=(batch, self.num_heads, rows, head), memory=self.memory_config or spec.memory)
        value = replace(result, shape=(batch, keys, rows, head))
        key = replace(result, shape=(batch, keys, head, rows)) if self.transpose_key else value
        return result, key, value

    def workspace(self, target: Target) -> Workspace:
        """Return the tiles on their way, with turned ones for a transposed key."""
        return Workspace(circular_buffers=(12 if self.transpose_key else 4) * tile_bytes(self.input_tensor.dtype))


@dataclass(frozen=True)
class ConcatenateHeads(Call, name="ttnn.transformer.concatenate_heads"):
    """[B, H, S, D] as [B, S, H * D], D a multiple of 32."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, SPLIT, "input_tensor")
        spec = spec_of(self.input_tensor)
        if spec.rank != 4 or spec.shape[3] % TILE:
            raise Refusal(f"heads to join are [B, H, S, D] with D a multiple of 32, got {list(spec.shape)}")
        batch, heads, rows, head = spec.shape
        return replace(spec, shape=(batch, rows, heads * head), memory=self.memory_config or spec.memory)

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of tiles of the result."""
        _, heads, _, head = self.input_tensor.shape
        return Workspace(circular_buffers=2 * heads * (head // TILE) * tile_bytes(self.input_tensor.dtype))


@dataclass(frozen=True)
class FillImplicitTilePadding(Call, name="ttnn.fill_implicit_tile_padding"):
    """The operand with the padding of its last tiles overwritten with `fill_value`, in place."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    fill_value: float

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, frozenset({DType.bf16, DType.f32}), "input_tensor")
        return spec_of(self.input_tensor)

    def alias(self) -> Value | None:
        return self.input_tensor

    def dispatch(self, target: Target) -> Dispatch:
        return ONE_PROGRAM if ends_inside_tiles(self.input_tensor.shape) else NO_PROGRAM

    def workspace(self, target: Target) -> Workspace:
        """Return the tiles to read, fill and write back."""
        return Workspace(circular_buffers=6 * tile_bytes(self.input_tensor.dtype))
