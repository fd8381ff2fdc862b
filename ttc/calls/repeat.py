"""Calls that repeat elements: expand and repeat, in ROW_MAJOR, or in TILE by whole tiles."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from ttc.calls.banks import in_l1
from ttc.calls.call import NO_PROGRAM, ONE_CONVERSION, Call, Dispatch, Workspace, accept, spec_of
from ttc.calls.sizes import ends_inside_tiles, row_bytes, rows_of, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DType, Layout, MemoryConfig, Spec, Value

PLAIN = frozenset({DType.bf16, DType.f32, DType.i32, DType.u32})


@dataclass(frozen=True)
class Expand(Call, name="ttnn.expand"):
    """The operand broadcast to `output_shape`; in TILE layout only where no tiled dimension grows."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    output_shape: tuple[int, ...]
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether TILE layout needs no conversions inside the call."""
        return rows_of(self.input_tensor.shape) == rows_of(self.output_shape)

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        accept(self.input_tensor, None, PLAIN, "input_tensor")
        if len(self.aligned) != len(self.output_shape) or any(
            size not in (1, wide) for size, wide in zip(self.aligned, self.output_shape, strict=True)
        ):
            raise Refusal(f"{list(spec.shape)} does not expand to {list(self.output_shape)}")
        if spec.layout is Layout.TILE and not self.flexible:
            raise Refusal("in TILE layout ttc repeats whole tiles only")
        return replace(spec, shape=self.output_shape, memory=self.memory_config or spec.memory)

    @property
    def aligned(self) -> tuple[int, ...]:
        """Return the operand's shape with ones before it, as long as the result's."""
        shape = self.input_tensor.shape
        return (1,) * (len(self.output_shape) - len(shape)) + shape

    def alias(self) -> Value | None:
        return self.input_tensor if self.output_shape == self.aligned else None

    def dispatch(self, target: Target) -> Dispatch:
        counts = tuple(wide // size for size, wide in zip(self.aligned, self.output_shape, strict=True))
        return repeated(self.aligned, counts, spec_of(self.input_tensor).layout is Layout.TILE)

    def workspace(self, target: Target) -> Workspace:
        return repeat_workspace(spec_of(self.input_tensor), self.infer(), target)


@dataclass(frozen=True)
class Repeat(Call, name="ttnn.repeat"):
    """The whole operand repeat_dims[i] times along dimension i."""

    moves: ClassVar[bool] = True
    input_tensor: Value
    repeat_dims: tuple[int, ...]
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    @property
    def flexible(self) -> bool:  # type: ignore[override]
        """Return whether TILE layout needs no conversions inside the call."""
        return set(self.repeat_dims[-2:]) <= {1}

    def infer(self) -> Spec:
        spec = spec_of(self.input_tensor)
        accept(self.input_tensor, None, PLAIN, "input_tensor")
        if spec.layout is Layout.TILE and not self.flexible:
            raise Refusal("in TILE layout ttc repeats whole tiles only")
        shape = tuple(size * count for size, count in zip(spec.shape, self.repeat_dims, strict=True))
        return replace(spec, shape=shape, memory=self.memory_config or spec.memory)

    def alias(self) -> Value | None:
        return self.input_tensor if set(self.repeat_dims) <= {1} else None

    def dispatch(self, target: Target) -> Dispatch:
        spec = spec_of(self.input_tensor)
        return repeated(spec.shape, self.repeat_dims, spec.layout is Layout.TILE)

    def workspace(self, target: Target) -> Workspace:
        return repeat_workspace(spec_of(self.input_tensor), self.infer(), target)


def repeated(shape: tuple[int, ...], counts: tuple[int, ...], tiled: bool) -> Dispatch:
    """Count a program for each repeated dimension, and beyond rank 4 the way to rows and back."""
    around = 2 * ONE_CONVERSION if by_rows(shape, counts, tiled) else NO_PROGRAM
    return Dispatch(len(steps(shape, counts))) + around


def by_rows(shape: tuple[int, ...], counts: tuple[int, ...], tiled: bool) -> bool:
    """Return whether tiles become rows before they are repeated: beyond rank 4 those that hold padding."""
    return len(shape) > 4 and max(counts) > 1 and tiled and ends_inside_tiles(shape)


def steps(shape: tuple[int, ...], counts: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes after each program, which repeats one dimension, the last first.

    Up to rank 4 a repeated dimension of one element joins the next repeated one, unless that is the last.
    """
    rank, found = len(shape), list[tuple[int, ...]]()
    for dim in reversed(range(rank)):
        joins = rank <= 4 and dim + 1 < rank - 1 and shape[dim] == 1 and counts[dim + 1] > 1
        if counts[dim] > 1:
            before = found.pop() if joins else found[-1] if found else shape
            found.append((*before[:dim], before[dim] * counts[dim], *before[dim + 1 :]))
    return found


def repeat_workspace(operand: Spec, result: Spec, target: Target) -> Workspace:
    """Return eight tiles, or eight rows each of the operand and the result; and what is made on the way to these."""
    aligned = (1,) * (result.rank - operand.rank) + operand.shape
    counts = tuple(wide // max(size, 1) for size, wide in zip(aligned, result.shape, strict=True))
    made = [replace(result, shape=shape) for shape in steps(aligned, counts)]
    tiled = operand.layout is Layout.TILE
    if by_rows(aligned, counts, tiled):
        made = [replace(spec, layout=Layout.ROW_MAJOR) for spec in (operand, *made)] + [result]
    pages = 8 * tile_bytes(operand.dtype) + 256 if tiled else 8 * (row_bytes(operand) + row_bytes(result))
    return Workspace.in_turn(pages, in_l1(made[:-1], target))
