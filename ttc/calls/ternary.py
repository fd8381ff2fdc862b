"""Elementwise calls with three operands."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ttc.calls.binary import widest, written
from ttc.calls.call import PLAIN_FLOATS, Call, Workspace, accept, spec_of
from ttc.calls.target import Target
from ttc.calls.unary import tiles
from ttc.errors import Refusal
from ttc.ir import Layout, MemoryConfig, Spec, Value


@dataclass(frozen=True)
class Lerp(Call, name="ttnn.lerp"):
    """input + weight * (end - input), in one device program: TILE, all of one dtype and shape."""

    input: Value
    end: Value
    weight: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    output_tensor: Value | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.input)
        for tensor in (self.input, self.end, self.weight):
            accept(tensor, Layout.TILE, PLAIN_FLOATS, "an operand")
            if (tensor.shape, tensor.dtype) != (spec.shape, spec.dtype):
                raise Refusal(f"lerp takes operands of one type, got {spec} and {tensor.type}")
        memory = self.memory_config or spec.memory
        return written(Spec(spec.dtype, spec.shape, spec.layout, memory), self.output_tensor)

    def alias(self) -> Value | None:
        return self.output_tensor

    def overwrites(self) -> tuple[Value, ...]:
        return (self.output_tensor,) if self.output_tensor else ()

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles for each operand and the result."""
        return Workspace(circular_buffers=tiles(8, widest((self.input, self.end, self.weight))))
