"""Attention over two sequences at once, of which each keeps its own tensors."""

from __future__ import annotations

import struct
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from ttc.calls.attention import SDPAProgramConfig, chunk_tiles
from ttc.calls.call import EXACT, Call, ComputeKernelConfig, Workspace, accept, accept_head, spec_of
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DRAM, DType, Layout, Spec, Value

JOINED = frozenset({DType.bf16})


@dataclass(frozen=True)
class JointScaledDotProductAttention(Call, name="ttnn.transformer.joint_scaled_dot_product_attention"):
    """softmax(scale * q @ k.T) @ v, where q, k and v are [B, H, S, D] with the joint tensors [B, H, J, D] behind them.

    The results are the first S rows and the last J. All tensors are in DRAM; D is a multiple of 32. The scale must be
    a number that float32 holds: TTNN's binding takes no other.
    """

    input_tensor_q: Value
    input_tensor_k: Value
    input_tensor_v: Value
    joint_tensor_q: Value
    joint_tensor_k: Value
    joint_tensor_v: Value
    _: KW_ONLY
    joint_strategy: Literal["rear"]
    program_config: SDPAProgramConfig
    scale: float | None = None
    compute_kernel_config: ComputeKernelConfig | None = EXACT

    @property
    def sequences(self) -> tuple[tuple[Value, Value, Value], tuple[Value, Value, Value]]:
        """Return q, k and v of the first sequence and of the joint one."""
        return (
            (self.input_tensor_q, self.input_tensor_k, self.input_tensor_v),
            (self.joint_tensor_q, self.joint_tensor_k, self.joint_tensor_v),
        )

    def infer(self) -> tuple[Spec, Spec]:
        for tensors in self.sequences:
            for tensor in tensors:
                accept(tensor, Layout.TILE, JOINED, "q, k and v")
                if spec_of(tensor).memory != DRAM:
                    raise Refusal("q, k and v must be in DRAM")
            if len({tensor.shape for tensor in tensors}) > 1 or tensors[0].type.rank != 4:
                raise Refusal(f"q, k and v must share a shape of rank 4, got {[list(t.shape) for t in tensors]}")
        first, joint = (tensors[0].shape for tensors in self.sequences)
        if (*first[:2], first[3]) != (*joint[:2], joint[3]):
            raise Refusal(f"the joint tensors {list(joint)} do not fit {list(first)}")
        accept_head(first[3])
        if self.scale is not None and self.scale != as_float32(self.scale):
            raise Refusal(f"the scale {self.scale} is no number of float32")
        if self.joint_strategy != "rear":
            raise Refusal(f"no joint strategy is called {self.joint_strategy!r}")
        return spec_of(self.input_tensor_q), spec_of(self.joint_tensor_q)

    def workspace(self, target: Target) -> Workspace:
        """Return the chunks of attention with a mask, which excludes the keys that pad the last tiles."""
        count = chunk_tiles(self.program_config, self.input_tensor_q.shape[3], True, False)
        return Workspace(circular_buffers=count * tile_bytes(DType.bf16))


def as_float32(number: float) -> float:
    """Round a number to float32."""
    return struct.unpack("f", struct.pack("f", number))[0]
