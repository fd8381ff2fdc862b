"""Calls on images in channels-last form."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from ttc.calls.call import PLAIN_FLOATS, Call, Workspace, accept, spec_of
from ttc.calls.sizes import row_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DType, Layout, MemoryConfig, Spec, Value


@dataclass(frozen=True)
class Upsample(Call, name="ttnn.upsample"):
    """[N, H, W, C] in rows, each pixel repeated scale_factor = (height, width) times (nearest neighbour)."""

    input_tensor: Value
    scale_factor: tuple[int, int]
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.ROW_MAJOR, PLAIN_FLOATS | {DType.i32}, "input_tensor")
        spec = spec_of(self.input_tensor)
        if spec.rank != 4:
            raise Refusal(f"upsample takes [N, H, W, C], got {spec}")
        batch, height, width, channels = spec.shape
        shape = (batch, height * self.scale_factor[0], width * self.scale_factor[1], channels)
        return replace(spec, shape=shape, memory=self.memory_config or spec.memory)

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of channels."""
        return Workspace(circular_buffers=2 * row_bytes(spec_of(self.input_tensor)))
