"""Elementwise calls with three operands."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ttc.calls.binary import ORDERED, broadcast, widest, written
from ttc.calls.call import (
    FLOATS,
    PLAIN_FLOATS,
    Call,
    Workspace,
    accept,
    accept_number,
    one_layout,
    spec_of,
)
from ttc.calls.target import Target
from ttc.calls.unary import ALL_DTYPES, tiles
from ttc.errors import Refusal
from ttc.ir import Layout, MemoryConfig, Spec, Value


@dataclass(frozen=True)
class Where(Call, name="ttnn.where"):
    """true_value where predicate is not 0, else false_value: tensors, or numbers; all broadcast.

    With two tensor values TILE only. The result's memory is the predicate's, or that of the one tensor beside a number.
    """

    predicate: Value
    true_value: Value | float
    false_value: Value | float
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    output_tensor: Value | None = None

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether the call runs in either layout: three tensors need TILE."""
        return not (isinstance(self.true_value, Value) and isinstance(self.false_value, Value))

    @property
    def tensors(self) -> tuple[Value, ...]:
        """Return the operands that are tensors, the predicate first."""
        return tuple(x for x in (self.predicate, self.true_value, self.false_value) if isinstance(x, Value))

    def infer(self) -> Spec:
        tensors = self.tensors
        layout = one_layout(*tensors)
        if len(tensors) == 3 and layout is not Layout.TILE:
            raise Refusal("where with three tensors runs in TILE layout")
        dtypes = ALL_DTYPES if len(tensors) == 3 else ORDERED if len(tensors) == 2 else FLOATS
        for tensor in tensors:
            accept(tensor, None, dtypes, "an operand")
        if len({tensor.dtype for tensor in tensors}) > 1:
            raise Refusal("where takes operands of one dtype")
        for number in (self.true_value, self.false_value):
            if not isinstance(number, Value):
                accept_number(number, self.predicate.dtype)
        shape = broadcast(*(tensor.shape for tensor in tensors))
        follows = tensors[1] if len(tensors) == 2 else self.predicate
        memory = self.memory_config or spec_of(follows).memory
        return written(Spec(tensors[-1].dtype, shape, layout, memory), self.output_tensor)

    def alias(self) -> Value | None:
        return self.output_tensor

    def overwrites(self) -> tuple[Value, ...]:
        return (self.output_tensor,) if self.output_tensor else ()

    def workspace(self, target: Target) -> Workspace:
        """Return two pages for each operand and the result, and as many again but two where one is broadcast."""
        return Workspace(circular_buffers=tiles(14 if len(self.tensors) == 3 else 8, widest(self.tensors)))


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
    """input_a + value * input_b * input_c, in one device program: TILE, all of one dtype.

    The first and one of the others may be rows for all rows of the third.
    """

    input_a: Value
    input_b: Value
    input_c: Value
    _: KW_ONLY
    value: float = 1.0
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.input_a)
        for tensor in self._operands:
            accept(tensor, Layout.TILE, PLAIN_FLOATS, "an operand")
            if tensor.dtype is not spec.dtype:
                raise Refusal(f"addcmul takes operands of one dtype, got {spec.dtype} and {tensor.dtype}")
        shape = self.input_b.shape if self.input_c in self._rows else self.input_c.shape
        for tensor in self._operands:
            if tensor.shape != shape and not is_row(tensor, shape):
                shapes = [list(tensor.shape) for tensor in self._operands]
                raise Refusal(f"addcmul takes tensors of one shape, and rows for the first and one other, got {shapes}")
        return Spec(spec.dtype, shape, spec.layout, self.memory_config or spec.memory)

    @property
    def _operands(self) -> tuple[Value, ...]:
        return self.input_a, self.input_b, self.input_c

    @property
    def _rows(self) -> list[Value]:
        """List the operands that hold fewer numbers than another."""
        most = max(tensor.type.numel for tensor in self._operands)
        return [tensor for tensor in self._operands if tensor.type.numel < most]

    def workspace(self, target: Target) -> Workspace:
        """Return two tiles for each operand and the result, and as many again but two where one is broadcast."""
        return Workspace(circular_buffers=tiles(14 if self._rows else 8, widest((self.input_a, self.input_b))))


def is_row(tensor: Value, shape: tuple[int, ...]) -> bool:
    """Return whether a tensor is one row, as long as the last dimension of `shape`, of no more dimensions."""
    *outer, last = tensor.shape or (0,)
    return tensor.type.rank <= len(shape) and set(outer) <= {1} and last == shape[-1]


@dataclass(frozen=True)
class SnakeBeta(Call, name="ttnn.snake_beta"):
    """input + sin(alpha * input)^2 / beta, in one device program: TILE, all of one dtype; alpha and beta are rows.

    The formula is BigVGAN's (Lee et al. 2023), of at least two dimensions.
    """

    input_tensor: Value
    alpha: Value
    beta: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        for tensor in (self.input_tensor, self.alpha, self.beta):
            accept(tensor, Layout.TILE, PLAIN_FLOATS, "an operand")
            if tensor.dtype is not spec.dtype:
                raise Refusal(f"snake_beta takes operands of one dtype, got {spec.dtype} and {tensor.dtype}")
        if len(spec.shape) < 2 or self.alpha.shape != self.beta.shape or not is_row(self.alpha, spec.shape):
            shapes = [list(tensor.shape) for tensor in (self.input_tensor, self.alpha, self.beta)]
            raise Refusal(f"snake_beta takes a tensor of two dimensions or more and two rows for it, got {shapes}")
        return Spec(spec.dtype, spec.shape, spec.layout, self.memory_config or spec.memory)

    def workspace(self, target: Target) -> Workspace:
        """Return fourteen tiles: two for each operand and the result, and rows again as they are broadcast."""
        return Workspace(circular_buffers=tiles(14, spec_of(self.input_tensor)))
