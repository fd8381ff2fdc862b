"""Calls that change a tensor's form and none of its numbers' meaning: layout, memory, dtype, lifetime."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.call import Call, spec_of
from ttc.errors import Refusal
from ttc.ir import DType, Layout, MemoryConfig, Spec, Value

BLOCK_FORMATS = (DType.bfp8, DType.bfp4)


@dataclass(frozen=True)
class ToLayout(Call, name="ttnn.to_layout"):
    """The same tensor in TILE or ROW_MAJOR layout; a no-op is never emitted."""

    tensor: Value
    layout: Layout
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.tensor)
        if self.layout is Layout.ROW_MAJOR and spec.dtype in BLOCK_FORMATS:
            raise Refusal(f"{spec.dtype} exists in TILE layout only")
        return replace(spec, layout=self.layout, memory=self.memory_config or spec.memory)


@dataclass(frozen=True)
class ToMemoryConfig(Call, name="ttnn.to_memory_config"):
    """The same tensor in another memory."""

    tensor: Value
    memory_config: MemoryConfig

    def infer(self) -> Spec:
        return replace(spec_of(self.tensor), memory=self.memory_config)


@dataclass(frozen=True)
class Typecast(Call, name="ttnn.typecast"):
    """The same numbers in another dtype."""

    input_tensor: Value
    dtype: DType
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    flexible: ClassVar[bool] = True

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        if spec.layout is Layout.ROW_MAJOR and (spec.dtype in BLOCK_FORMATS or self.dtype in BLOCK_FORMATS):
            raise Refusal("block formats exist in TILE layout only")
        return replace(spec, dtype=self.dtype, memory=self.memory_config or spec.memory)


@dataclass(frozen=True)
class Deallocate(Call, name="ttnn.deallocate"):
    """Give a tensor's buffer back."""

    tensor: Value
    effect: ClassVar[bool] = True

    def infer(self) -> tuple[Spec, ...]:
        return ()
