"""Calls that look elements up by index."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from ttc.calls.call import Call, Workspace, accept, spec_of
from ttc.calls.sizes import row_bytes, tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import TILE, DType, Layout, MemoryConfig, Spec, Value

ELEMENTS = frozenset({DType.bf16, DType.f32, DType.i32, DType.u32})
INDICES = frozenset({DType.u32})


@dataclass(frozen=True)
class Embedding(Call, name="ttnn.embedding"):
    """Rows of `weight` [V, D] (bf16, ROW_MAJOR) by u32 ROW_MAJOR index [N] or [B, N]: [N, D] or [B, N, D].

    The result may be in TILE layout where N and D fill whole tiles.
    """

    input_tensor: Value
    weight: Value
    _: KW_ONLY
    layout: Layout = Layout.ROW_MAJOR
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.ROW_MAJOR, INDICES, "the index")
        accept(self.weight, Layout.ROW_MAJOR, frozenset({DType.bf16}), "the table")
        index, weight = spec_of(self.input_tensor), spec_of(self.weight)
        if index.rank not in (1, 2) or weight.rank != 2:
            raise Refusal(f"embedding takes an index of rank 1 or 2 and a table of rank 2, got {index} and {weight}")
        if self.layout is Layout.TILE and not self.fused:
            raise Refusal("embedding makes whole tiles only, without another device program")
        shape = (*index.shape, weight.shape[1])
        return Spec(DType.bf16, shape, self.layout, self.memory_config or index.memory)

    @property
    def fused(self) -> bool:
        """Return whether the rows are tilized in the same device program."""
        return self.input_tensor.shape[-1] % TILE == 0 and self.weight.shape[1] % TILE == 0

    def workspace(self, target: Target) -> Workspace:
        """Return two rows of the table and the index; for TILE 32 rows, cut to 1 MiB, and as many tiles."""
        result = self.infer()
        index = 2 * TILE * 4 * 2
        rows = 2 * row_bytes(replace(result, layout=Layout.ROW_MAJOR))
        if self.layout is Layout.ROW_MAJOR:
            return Workspace(circular_buffers=rows + index)
        tiles = self.weight.shape[1] // TILE
        return Workspace(circular_buffers=max(min(4 * tiles * tile_bytes(DType.bf16), 1 << 20), rows) + index)


@dataclass(frozen=True)
class Gather(Call, name="ttnn.gather"):
    """y[.., i] = x[.., index[.., i]] along the last dimension, all ROW_MAJOR; other sizes are equal."""

    input: Value
    dim: int
    index: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input, Layout.ROW_MAJOR, ELEMENTS, "input")
        accept(self.index, Layout.ROW_MAJOR, INDICES, "the index")
        spec = spec_of(self.input)
        check_rows(self.dim, self.input, self.index)
        if (1,) in (spec.shape, self.index.shape):
            raise Refusal(f"{list(spec.shape)} and {list(self.index.shape)}: TTNN takes one number alone for a scalar")
        return replace(spec, shape=self.index.shape, memory=self.memory_config or spec.memory)

    def workspace(self, target: Target) -> Workspace:
        """Return a row each of the operand, the index and the result."""
        rows = (spec_of(self.input), spec_of(self.index), self.infer())
        return Workspace(circular_buffers=sum(map(row_bytes, rows)))


@dataclass(frozen=True)
class Scatter(Call, name="ttnn.scatter"):
    """x with x[.., index[.., i]] = src[.., i] along the last dimension, all ROW_MAJOR; other sizes are equal."""

    input: Value
    dim: int
    index: Value
    src: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        return scattered(self)

    def workspace(self, target: Target) -> Workspace:
        return scatter_workspace(self)


@dataclass(frozen=True)
class ScatterAdd(Call, name="ttnn.scatter_add"):
    """x with src[.., i] added to x[.., index[.., i]] along the last dimension; as `Scatter` otherwise."""

    input: Value
    dim: int
    index: Value
    src: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        return scattered(self)

    def workspace(self, target: Target) -> Workspace:
        return scatter_workspace(self)


def scattered(call: Scatter | ScatterAdd) -> Spec:
    """Return the spec of a scatter's result: the input's spec."""
    accept(call.input, Layout.ROW_MAJOR, ELEMENTS, "input")
    accept(call.src, Layout.ROW_MAJOR, frozenset({call.input.dtype}), "src")
    accept(call.index, Layout.ROW_MAJOR, frozenset({DType.i32, DType.u32}), "the index")
    check_rows(call.dim, call.input, call.index)
    if call.src.shape != call.index.shape:
        raise Refusal(f"src {list(call.src.shape)} does not fit the index {list(call.index.shape)}")
    spec = spec_of(call.input)
    return replace(spec, memory=call.memory_config or spec.memory)


def scatter_workspace(call: Scatter | ScatterAdd) -> Workspace:
    """Return rows for a scatter: the input's in and out, an index row and a source row.

    The input's rows are also held in f32 where bf16 numbers are added up.
    """
    spec = spec_of(call.input)
    wide = 4 if spec.dtype is DType.bf16 and isinstance(call, ScatterAdd) else 2
    rows = wide * row_bytes(spec) + 2 * (row_bytes(spec_of(call.index)) + row_bytes(spec_of(call.src)))
    return Workspace(circular_buffers=rows + 512)


def check_rows(dim: int, x: Value, index: Value) -> None:
    """Refuse unless `dim` is the last dimension and the other dimensions have equal sizes."""
    if dim != x.type.rank - 1:
        raise Refusal(f"ttc gathers and scatters along the last dimension, not {dim} of {x.type.rank}")
    if index.shape[:-1] != x.shape[:-1]:
        raise Refusal(f"the index {list(index.shape)} does not cover the rows of {list(x.shape)}")
