"""Prefix sums and products along a dimension; workspaces are upper bounds measured on the mock cards."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from ttc.calls.call import ONE_PROGRAM, Call, Dispatch, Workspace, accept, spec_of
from ttc.calls.reduce import REDUCIBLE
from ttc.calls.reduced import check_dims, scratch
from ttc.calls.sizes import page_bytes
from ttc.calls.target import Target
from ttc.calls.unary import ALL_DTYPES, tiles
from ttc.ir import DType, Layout, MemoryConfig, Spec, Value


@dataclass(frozen=True)
class Cumsum(Call, name="ttnn.cumsum"):
    """Inclusive prefix sum, from the end if `reverse_order`: TILE, any dtype.

    32-bit floats are summed with compensation. Along the last two dimensions TTNN sums over a permuted copy, a tile
    or more for each element.
    """

    input: Value
    dim: int
    _: KW_ONLY
    reverse_order: bool = False
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input, Layout.TILE, ALL_DTYPES, "input")
        spec = spec_of(self.input)
        check_dims(spec.shape, (self.dim,))
        return replace(spec, memory=self.memory_config or spec.memory)

    def dispatch(self, target: Target) -> Dispatch:
        """Count the sum and the permutes; bf16 is summed in place along the last two dimensions."""
        spec = spec_of(self.input)
        direct = spec.dtype is DType.bf16 and self.dim >= spec.rank - 2
        return ONE_PROGRAM if direct else accumulated(spec, self.dim)

    def workspace(self, target: Target) -> Workspace:
        """Return ten pages, and two permuted copies where the result is in L1."""
        return Workspace(10 * page_bytes(self.input.dtype), scratch(self, self.input, target, self.dim))


@dataclass(frozen=True)
class Cumprod(Call, name="ttnn.cumprod"):
    """Inclusive prefix product: TILE, floats."""

    input_tensor: Value
    dim: int
    _: KW_ONLY
    memory_config: MemoryConfig | None = None

    def infer(self) -> Spec:
        accept(self.input_tensor, Layout.TILE, REDUCIBLE, "input_tensor")
        spec = spec_of(self.input_tensor)
        check_dims(spec.shape, (self.dim,))
        return replace(spec, memory=self.memory_config or spec.memory)

    def dispatch(self, target: Target) -> Dispatch:
        return accumulated(spec_of(self.input_tensor), self.dim)

    def workspace(self, target: Target) -> Workspace:
        """Return ten pages, and two permuted copies where the result is in L1."""
        return Workspace(tiles(10, spec_of(self.input_tensor)), scratch(self, self.input_tensor, target, self.dim))


def accumulated(spec: Spec, dim: int) -> Dispatch:
    """Count a prefix sum or product, and the permutes of the last three dimensions to the outermost and back.

    The third dimension from the end changes places with the first, which is no permute where both have one element.
    """
    stays = spec.rank - dim > 3 or (spec.rank - dim == 3 and spec.shape[0] == spec.shape[dim] == 1)
    return ONE_PROGRAM if stays else Dispatch(3)
