"""Calls that change a tensor's layout, memory, dtype or lifetime, and none of its numbers' meaning."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.call import BLOCK_FORMATS, NO_PROGRAM, ONE_CONVERSION, Call, Dispatch, Workspace, spec_of
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import L1, TILE, DType, Layout, MemoryConfig, Sharding, Spec, Value, round_up


@dataclass(frozen=True)
class ToLayout(Call, name="ttnn.to_layout"):
    """The same tensor in TILE or ROW_MAJOR layout; a no-op is never emitted."""

    moves: ClassVar[bool] = True
    tensor: Value
    layout: Layout
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        spec = spec_of(self.tensor)
        if self.layout is Layout.ROW_MAJOR and spec.dtype in BLOCK_FORMATS:
            raise Refusal(f"{spec.dtype} exists in TILE layout only")
        if self.layout is Layout.TILE and spec.dtype is DType.u8:
            raise Refusal("u8 cannot be brought into TILE layout on the device")
        if self.layout is spec.layout:
            raise Refusal(f"the tensor is in {spec.layout.name} layout already")
        return replace(spec, layout=self.layout, memory=self.memory_config or spec.memory)

    def dispatch(self, target: Target) -> Dispatch:
        return ONE_CONVERSION

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of tiles in and two out, or as much of them as fits; sharded buffers are worked on in place.

        A result in L1 counts once more: TTNN takes the result's size off the room that is left beside it, and where
        no room is left, TTNN picks a way through the tensor that fails for most shapes.
        """
        spec, result = spec_of(self.tensor), self.infer()
        if Sharding.INTERLEAVED not in (spec.memory.sharding, result.memory.sharding):
            return Workspace()
        columns = round_up(spec.shape[-1] if spec.rank else 1, TILE) // TILE
        row = columns * int(TILE * TILE * spec.dtype.bytes)
        again = -(-result.stored_bytes // target.cores) if result.memory == L1 else 0
        return Workspace(min(4 * row, target.circular_buffer_end * 7 // 8) + again)


@dataclass(frozen=True)
class ToMemoryConfig(Call, name="ttnn.to_memory_config"):
    """The same tensor in another memory."""

    moves: ClassVar[bool] = True
    tensor: Value
    memory_config: MemoryConfig

    def infer(self) -> Spec:
        return replace(spec_of(self.tensor), memory=self.memory_config)

    def alias(self) -> Value | None:
        return self.tensor if spec_of(self.tensor).memory == self.memory_config else None

    def dispatch(self, target: Target) -> Dispatch:
        return NO_PROGRAM if self.alias() else ONE_CONVERSION

    def workspace(self, target: Target) -> Workspace:
        """Return two pages: tiles, or rows with their alignment."""
        spec = spec_of(self.tensor)
        count = TILE * TILE if spec.layout is Layout.TILE else round_up(spec.shape[-1] if spec.rank else 1, 64)
        return Workspace(2 * int(count * spec.dtype.bytes) + 512)


@dataclass(frozen=True)
class Typecast(Call, name="ttnn.typecast"):
    """The same numbers in another dtype."""

    moves: ClassVar[bool] = True
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

    def dispatch(self, target: Target) -> Dispatch:
        return ONE_CONVERSION

    def workspace(self, target: Target) -> Workspace:
        """Return two pages in and two out."""
        return Workspace(int(2 * TILE * TILE * (spec_of(self.input_tensor).dtype.bytes + self.dtype.bytes)))


@dataclass(frozen=True)
class Bitcast(Call, name="ttnn.bitcast"):
    """The same bits as another dtype of the same size: 32-bit floats and integers."""

    input_tensor: Value
    dtype: DType
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    flexible: ClassVar[bool] = True

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        if {spec.dtype, self.dtype} - {DType.f32, DType.i32, DType.u32}:
            raise Refusal(f"bitcast takes 32-bit dtypes, got {spec.dtype} and {self.dtype}")
        return replace(spec, dtype=self.dtype, memory=self.memory_config or spec.memory)

    def workspace(self, target: Target) -> Workspace:
        """Return two pages in and two out."""
        return Workspace(4 * TILE * TILE * 4)


@dataclass(frozen=True)
class Deallocate(Call, name="ttnn.deallocate"):
    """End of a tensor's life: its buffer is freed."""

    moves: ClassVar[bool] = True
    tensor: Value
    effect: ClassVar[bool] = True

    def infer(self) -> tuple[Spec, ...]:
        return ()

    def dispatch(self, target: Target) -> Dispatch:
        return NO_PROGRAM
