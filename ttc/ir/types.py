"""Types of values: an op's operands and results (`TensorType`) and a TTNN call's (`Spec`).

Both print to one short text (`f32[1,32,32]`, `bf16[1,32,32] tile dram`) that `ir.text` reads back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from math import prod

from ttc.errors import TypeRuleError
from ttc.guard.budget import DIMENSIONS, ELEMENTS, within

TILE = 32  # TTNN's tile is 32 x 32 elements.


class DType(Enum):
    """An element type; the value is `(bytes per element, kind)`, kind one of `float int uint bool`.

    Integers below 8 bits are held in bytes, and floats of up to 8 bits (OCP and FNUZ formats) as float32 wherever
    there is data: only the values are those of the narrow type.

    bfp8 and bfp4 are TTNN's block formats: 16 elements share an exponent byte, hence 1.0625 and 0.5625.
    """

    f64 = (8, "float", 1)
    f32 = (4, "float", 2)
    f16 = (2, "float", 3)
    bf16 = (2, "float", 4)
    bfp8 = (1.0625, "float", 5)
    bfp4 = (0.5625, "float", 6)
    i64 = (8, "int", 7)
    i32 = (4, "int", 8)
    i16 = (2, "int", 9)
    i8 = (1, "int", 10)
    u64 = (8, "uint", 11)
    u32 = (4, "uint", 12)
    u16 = (2, "uint", 13)
    u8 = (1, "uint", 14)
    bool = (1, "bool", 15)
    c64 = (8, "complex", 16)
    i4 = (0.5, "int", 17)
    u4 = (0.5, "uint", 18)
    i2 = (0.25, "int", 19)
    u2 = (0.25, "uint", 20)
    f8e4m3fn = (1, "float", 21)
    f8e4m3fnuz = (1, "float", 22)
    f8e5m2 = (1, "float", 23)
    f8e5m2fnuz = (1, "float", 24)
    f8e8m0 = (1, "float", 25)
    f4e2m1 = (0.5, "float", 26)

    def __init__(self, bytes: float, kind: str, number: int):
        self.bytes, self.kind = bytes, kind
        self.is_float, self.is_integer = kind == "float", kind in ("int", "uint")

    __hash__ = object.__hash__

    @property
    def limits(self) -> tuple[int, int]:
        """Return the smallest and the largest number of an integer type."""
        bits = int(self.bytes * 8)
        return (0, (1 << bits) - 1) if self.kind == "uint" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


@dataclass(frozen=True)
class TensorType:
    """An element type and a static shape (outermost dimension first)."""

    dtype: DType
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        within(len(self.shape), DIMENSIONS, "dimensions of a value")
        within(prod(self.shape), ELEMENTS, "elements of a value")

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return int(self.numel * self.dtype.bytes)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


class Layout(Enum):
    """Order of elements in memory: 32 x 32 tiles, or rows."""

    TILE = "tile"
    ROW_MAJOR = "row_major"


class Buffer(Enum):
    """Memory of a buffer: the card's DRAM, the cores' L1, or the host (convolution weights before preparation)."""

    DRAM = "dram"
    L1 = "l1"
    HOST = "host"


class Sharding(Enum):
    """Distribution of a buffer over banks."""

    INTERLEAVED = "interleaved"
    HEIGHT_SHARDED = "height_sharded"
    WIDTH_SHARDED = "width_sharded"
    BLOCK_SHARDED = "block_sharded"


@dataclass(frozen=True)
class ShardSpec:
    """A shard per core: the core grid as (columns, rows), the shard's (height, width) in elements.

    `rest` are cores of the row below the grid, the first ones: fewer than a row.
    """

    grid: tuple[int, int]
    shape: tuple[int, int]
    column_major: bool = False
    rest: int = 0

    @property
    def cores(self) -> int:
        return self.grid[0] * self.grid[1] + self.rest


@dataclass(frozen=True)
class MemoryConfig:
    """Memory of a value. `shard` is None for interleaved buffers, or where TTNN chose the shard itself."""

    buffer: Buffer = Buffer.DRAM
    sharding: Sharding = Sharding.INTERLEAVED
    shard: ShardSpec | None = None

    def __str__(self) -> str:
        if self.sharding is Sharding.INTERLEAVED:
            return self.buffer.value
        text = f"{self.buffer.value} {self.sharding.value}"
        if self.shard is None:
            return text
        (columns, rows), (height, width) = self.shard.grid, self.shard.shape
        rest = f" and {self.shard.rest}" if self.shard.rest else ""
        order = " column_major" if self.shard.column_major else ""
        return f"{text} {columns}x{rows}{rest} of {height}x{width}{order}"


DRAM = MemoryConfig(Buffer.DRAM)
L1 = MemoryConfig(Buffer.L1)
HOST = MemoryConfig(Buffer.HOST)

LARGEST = {DType.f32: 3.4028234663852886e38, DType.bf16: 3.3895313892515355e38, DType.f16: 65504.0}
"""Largest finite number of a floating dtype; block formats hold no larger one than bf16."""


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple of `multiple` that is not below `size`."""
    return -(-size // multiple) * multiple


@dataclass(frozen=True)
class Spec(TensorType):
    """A TTNN tensor: element type and logical shape, layout, and memory configuration.

    `padded` is the shape as stored where TTNN pads beyond the tile (prepared convolution weights), else ().
    """

    layout: Layout = Layout.TILE
    memory: MemoryConfig = DRAM
    padded: tuple[int, ...] = ()

    @cached_property
    def padded_shape(self) -> tuple[int, ...]:
        """Return the shape as stored by TTNN: tiles round the last two dimensions, of which there are two, up to 32."""
        if self.padded:
            return self.padded
        if self.layout is Layout.ROW_MAJOR:
            return self.shape or (1,)
        *outer, height, width = (1, 1, *self.shape)[-max(self.rank, 2) :]
        return (*outer, round_up(height, TILE), round_up(width, TILE))

    @cached_property
    def stored_bytes(self) -> int:
        """Return the bytes as stored, padding included."""
        return int(prod(self.padded_shape) * self.dtype.bytes)

    def __str__(self) -> str:
        padded = f" padded [{','.join(map(str, self.padded))}]" if self.padded else ""
        return f"{super().__str__()} {self.layout.value} {self.memory}{padded}"


Type = TensorType  # what a Value carries; a Spec is one too


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numpy broadcast of shapes; TypeRuleError with all shapes if they do not broadcast."""
    rank = max(map(len, shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for place, size in enumerate(shape, rank - len(shape)):
            if size != 1 and result[place] == 1:
                result[place] = size
            elif size not in (1, result[place]):
                raise TypeRuleError(f"shapes {' and '.join(map(str, map(list, shapes)))} do not broadcast")
    return tuple(result)
