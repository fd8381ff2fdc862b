"""Rotary position embeddings of heads."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from ttc.calls.call import EXACT, Call, ComputeKernelConfig, Workspace, accept, spec_of
from ttc.calls.heads_decode import is_on_one_core
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, MemoryConfig, Spec, Value

ROTATED = frozenset({DType.bf16})


@dataclass(frozen=True)
class RotaryEmbeddingHf(Call, name="ttnn.experimental.rotary_embedding_hf"):
    """x * cos + [-b, a] * sin, where a and b are the halves of x's rows: x [B, H, S, D], cos and sin [1, 1, S, D].

    D is a multiple of 64: halves are whole tiles. In decode mode x is the heads [1, 1, H, D] of one token, cos and sin
    are [1, 1, 1, D], and all of them lie on one core.
    """

    input_tensor: Value
    cos_cache: Value
    sin_cache: Value
    _: KW_ONLY
    is_decode_mode: bool = False
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    def infer(self) -> Spec:
        if self.is_decode_mode:
            self._check_one_token()
        rows = 1 if self.is_decode_mode else None
        spec = rotated(self.input_tensor, self.cos_cache, self.sin_cache, self.memory_config, rows)
        if spec.shape[3] % (2 * TILE):
            raise Refusal(f"rows of {spec.shape[3]} elements have no halves of whole tiles")
        return spec

    def _check_one_token(self) -> None:
        operands = (self.input_tensor, self.cos_cache, self.sin_cache)
        if not all(is_on_one_core(spec_of(value)) for value in operands) or self.memory_config is not None:
            raise Refusal("in decode mode heads [1, 1, H, D] of one token, cos and sin lie on one core")

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of tiles of x, its turned form, the tables, the products and the result, and a constant."""
        return Workspace(circular_buffers=(10 * (self.input_tensor.shape[3] // TILE) + 4) * tile_bytes(DType.bf16))


@dataclass(frozen=True)
class RotaryEmbeddingLlama(Call, name="ttnn.experimental.rotary_embedding_llama"):
    """x * cos + (x @ trans_mat) * sin, tile by tile: trans_mat [1, 1, 32, 32] says where elements of a tile's row go.

    x is [B, H, S, D] with D a multiple of 32, cos and sin [1, 1, S, D].
    """

    input_tensor: Value
    cos_cache: Value
    sin_cache: Value
    trans_mat: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    def infer(self) -> Spec:
        accept(self.trans_mat, Layout.TILE, ROTATED, "trans_mat")
        if self.trans_mat.shape != (1, 1, TILE, TILE):
            raise Refusal(f"trans_mat must be one tile [1, 1, 32, 32], got {list(self.trans_mat.shape)}")
        return rotated(self.input_tensor, self.cos_cache, self.sin_cache, self.memory_config)

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of tiles of x, the tables, the products and the result, and the matrix."""
        return Workspace(circular_buffers=(12 * (self.input_tensor.shape[3] // TILE) + 2) * tile_bytes(DType.bf16))


def rotated(x: Value, cos: Value, sin: Value, memory: MemoryConfig | None, rows: int | None = None) -> Spec:
    """Return the spec of the rotated heads x, after checking the tables, which have as many rows as x if not given."""
    for value, what in ((x, "input_tensor"), (cos, "cos_cache"), (sin, "sin_cache")):
        accept(value, Layout.TILE, ROTATED, what)
    spec = spec_of(x)
    if spec.rank != 4 or spec.shape[3] % TILE:
        raise Refusal(f"heads to rotate are [B, H, S, D] with D a multiple of 32, got {list(spec.shape)}")
    table = (1, 1, rows or spec.shape[2], spec.shape[3])
    if not cos.shape == sin.shape == table:
        raise Refusal(f"cos_cache {list(cos.shape)} and sin_cache {list(sin.shape)} must be {list(table)}")
    return replace(spec, memory=memory or spec.memory)
