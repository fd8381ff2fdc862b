"""Elementwise calls with three operands."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ttc.calls.binary import broadcast, widest, written
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


@dataclass(frozen=True)
class Addcmul(Call, name="ttnn.addcmul"):
    """input_a + value * input_b * input_c, in one device program: TILE, all of one dtype; b and c broadcast to a.

    b and c have a's shape, but one of the two may be a row for all of a's rows.
    """

    input_a: Value
    input_b: Value
    input_c: Value
    _: KW_ONLY
    value: float = 1.0
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.input_a)
        for tensor in (self.input_a, self.input_b, self.input_c):
            accept(tensor, Layout.TILE, PLAIN_FLOATS, "an operand")
            if tensor.dtype is not spec.dtype:
                raise Refusal(f"addcmul takes operands of one dtype, got {spec.dtype} and {tensor.dtype}")
        rows = self._rows
        if broadcast(spec.shape, *(row.shape for row in rows)) != spec.shape or len(rows) > 1:
            shapes = [list(tensor.shape) for tensor in (self.input_a, self.input_b, self.input_c)]
            raise Refusal(f"addcmul takes a tensor, another of its shape and one such or a row, got {shapes}")
        if any(row.type.numel != row.shape[-1] or row.shape[-1] != spec.shape[-1] for row in rows):
            raise Refusal(f"the row for {list(spec.shape)} must hold {spec.shape[-1]} elements")
        return Spec(spec.dtype, spec.shape, spec.layout, self.memory_config or spec.memory)

    @property
    def _rows(self) -> list[Value]:
        """List what is not of the shape of the first operand."""
        return [tensor for tensor in (self.input_b, self.input_c) if tensor.shape != self.input_a.shape]

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles for each operand and the result, and as many again but two where one is broadcast."""
        return Workspace(circular_buffers=tiles(14 if self._rows else 8, widest((self.input_a, self.input_b))))
