"""Matrix products."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ttc.calls.call import FLOATS, Call, ComputeKernelConfig, CoreGrid, accept, spec_of
from ttc.errors import Refusal
from ttc.ir import DType, Layout, MemoryConfig, Spec, Value

FUSED_ACTIVATIONS = frozenset({"relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"})
"""Activation strings that `linear` takes and fuses where a core grid is given."""


@dataclass(frozen=True)
class Matmul(Call, name="ttnn.matmul"):
    """a @ b: TILE, floating; b of rank 2 or with equal or 1-sized batches. The result has a's dtype unless given."""

    input_tensor_a: Value
    input_tensor_b: Value
    _: KW_ONLY
    transpose_a: bool = False
    transpose_b: bool = False
    memory_config: MemoryConfig | None = None
    dtype: DType | None = None
    compute_kernel_config: ComputeKernelConfig | None = None
    core_grid: CoreGrid | None = None

    def infer(self) -> Spec:
        shape = product_shape(self.input_tensor_a, self.input_tensor_b, self.transpose_a, self.transpose_b)
        return product_spec(self.input_tensor_a, shape, self.dtype, self.memory_config)


@dataclass(frozen=True)
class Linear(Call, name="ttnn.linear"):
    """activation(a @ b + bias): bias is (N,) or (1, ..., 1, N)."""

    input_tensor_a: Value
    input_tensor_b: Value
    _: KW_ONLY
    bias: Value | None = None
    transpose_a: bool = False
    transpose_b: bool = False
    memory_config: MemoryConfig | None = None
    dtype: DType | None = None
    activation: str | None = None
    compute_kernel_config: ComputeKernelConfig | None = None
    core_grid: CoreGrid | None = None

    def infer(self) -> Spec:
        shape = product_shape(self.input_tensor_a, self.input_tensor_b, self.transpose_a, self.transpose_b)
        accept(self.bias, Layout.TILE, FLOATS, "the bias")
        if self.bias is not None and self.bias.type.numel != shape[-1]:
            raise Refusal(f"the bias {list(self.bias.shape)} does not hold {shape[-1]} elements")
        if self.activation is not None and self.activation not in FUSED_ACTIVATIONS:
            raise Refusal(f"linear knows no activation {self.activation!r}")
        return product_spec(self.input_tensor_a, shape, self.dtype, self.memory_config)


def product_shape(a: Value, b: Value, transpose_a: bool, transpose_b: bool) -> tuple[int, ...]:
    """The shape of a @ b by TTNN's rules: batches equal, or all of one side's 1 or absent."""
    accept(a, Layout.TILE, FLOATS, "input_tensor_a")
    accept(b, Layout.TILE, FLOATS, "input_tensor_b")
    left, right = list(a.shape), list(b.shape)
    if min(len(left), len(right)) < 2:
        raise Refusal(f"matmul needs at least 2 dimensions, got {left} and {right}")
    if transpose_a:
        left[-2:] = left[:-3:-1]
    if transpose_b:
        right[-2:] = right[:-3:-1]
    if left[-1] != right[-2]:
        raise Refusal(f"inner sizes differ: {left[-1]} and {right[-2]}")
    batch_a, batch_b = left[:-2], right[:-2]
    if all(size == 1 for size in batch_b) and len(batch_b) <= len(batch_a):
        return (*batch_a, left[-2], right[-1])
    if len(batch_a) != len(batch_b) or (batch_a != batch_b and any(size != 1 for size in batch_a)):
        raise Refusal(f"matmul cannot broadcast batches {batch_a} and {batch_b}")
    return (*batch_b, left[-2], right[-1])


def product_spec(a: Value, shape: tuple[int, ...], dtype: DType | None, memory: MemoryConfig | None) -> Spec:
    """The result's spec: a's dtype and memory unless stated."""
    spec = spec_of(a)
    return Spec(dtype or spec.dtype, shape, Layout.TILE, memory or spec.memory)
