"""Abstract values: the valid part of a value, and the facts known of the rest, the padding.

A dimension is a product of factors, outermost first: one as a rule, several where a reshape has merged dimensions, so
that a later reshape can split the dimension again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor, inf, isfinite, prod

from ttc.errors import Refusal
from ttc.ir import DType, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ir.symbolic import SymbolicSize, length_of, parts_of
from ttc.ops.facts import LARGE
from ttc.ops.ranges import interval


@dataclass(frozen=True)
class Factor:
    """A dimension or part of one.

    Positions from `length` on are padding (all are valid if it is None). `fill` is what elements are known to be
    where this position is padding and all others are valid: a number, or None if that is not known. `sample` marks
    the batch, where each sample has lengths of its own. Where all positions hold the same (`alike`), so does padding.
    """

    size: int
    length: Length | None = None
    fill: float | None = None
    sample: bool = False
    alike: bool = False

    def bare(self, fill: float | None = None) -> Factor:
        """Return the same factor, with the padding holding this number or something unknown."""
        return Factor(self.size, self.length, fill, self.sample)

    @property
    def infinite(self) -> bool:
        """Return whether the padding is known to be infinite or NaN."""
        return self.length is not None and self.fill is not None and not isfinite(self.fill)


Dim = tuple[Factor, ...]


@dataclass(frozen=True)
class AbstractValue:
    """The valid extent and what padding holds, as the factors of each dimension, and whether padding may be non-finite.

    `taint` has the names of the values whose padding may have made this one's inf or NaN. Without any, all padding is
    finite if all that is valid is, but for infinities and NaN that a `fill` states.
    """

    dims: tuple[Dim, ...]
    taint: frozenset[str] = frozenset()

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Return all factors in row-major order."""
        return tuple(factor for dim in self.dims for factor in dim)

    @property
    def padded(self) -> bool:
        """Return whether the value has padding."""
        return any(factor.length for factor in self.factors)

    @property
    def infinite_dims(self) -> tuple[int, ...]:
        """Return the dimensions whose padding is known to be infinite or NaN."""
        return tuple(d for d, dim in enumerate(self.dims) if any(factor.infinite for factor in dim))

    @property
    def finite(self) -> bool:
        """Return whether all padding is finite."""
        return not self.taint and not self.infinite_dims

    @property
    def padded_dims(self) -> tuple[int, ...]:
        """Return the dimensions with padding."""
        return tuple(d for d, dim in enumerate(self.dims) if any(factor.length for factor in dim))

    def size(self, dim: int) -> int:
        """Return the size of a dimension."""
        return prod(factor.size for factor in self.dims[dim])

    def axis(self, dim: int) -> Factor:
        """Return a dimension as one factor; Refusal where the valid part is not the beginning of the dimension."""
        return joined(self.dims[dim])

    def is_whole(self, dim: int, size: int) -> bool:
        """Return whether a (symbolic) size is that of a dimension at all lengths."""
        follows = any(factor.length for factor in self.dims[dim])
        explained = size.explained if isinstance(size, SymbolicSize) else not follows
        return explained and size == self.size(dim)

    def with_dim(self, dim: int, factor: Factor) -> AbstractValue:
        """Return the same abstract value with another factor for one dimension; none if the dimension has one position.

        So a dimension cut down to one position is one that broadcasts, as in `dim_of`.
        """
        new = () if factor == Factor(1) else (factor,)
        return replace(self, dims=tuple(new if d == dim else old for d, old in enumerate(self.dims)))

    def without_fills(self) -> AbstractValue:
        """Return the same abstract value with nothing known of the padding but whether it is finite."""
        return replace(self, dims=tuple(tuple(f.bare() for f in dim) for dim in self.dims))


def single(factor: Factor) -> Dim:
    """Give a dimension of one factor; of none where there is one position."""
    return (factor,) if factor.size != 1 or factor.length else ()


def dim_of(size: int) -> Dim:
    """Give a dimension of this (symbolic) size, of whose padding nothing is known; of no factors for one position."""
    parts = [(int(part), length_of(part)) for part in parts_of(size)]
    return tuple(Factor(number, length if length and length.terms else None) for number, length in parts)


def of_type(type: TensorType) -> AbstractValue:
    """Give the abstract value of a (symbolic) type, of whose padding nothing is known but that it is finite."""
    return AbstractValue(tuple(map(dim_of, type.shape)))


def joined(dim: Dim) -> Factor:
    """Join factors into one; Refusal where a length has an outer factor of several positions."""
    if len(dim) == 1:
        return dim[0]
    size = prod(factor.size for factor in dim)
    if not any(factor.length for factor in dim):
        return Factor(size)
    first, *rest = dim
    if first.length is None or any(factor.length or factor.sample for factor in rest):
        raise Refusal(
            "a reshape has merged a length with the dimension before it, and this op does not take them apart"
        )
    inner = prod(factor.size for factor in rest)
    return Factor(size, first.length * inner, first.fill)


def length_along(dim: Dim) -> Length | None:
    """Return the length of a whole dimension; None where there are several lengths, or none."""
    lengths = [factor.length for factor in dim if factor.length]
    return lengths[0] * prod(f.size for f in dim if not f.length) if len(lengths) == 1 else None


BENEATH = 1000.0
"""The distance of a mask's number from all valid elements: the exponential vanishes beside theirs, in float64 too."""


def beneath(x: Value) -> float:
    """Give the number that masks write where a largest element or a softmax of x is sought.

    The number is finite where intervals bound x from below, so that no infinity reaches the card's reductions. Else
    valid elements may be infinite, or the lowest finite number, masked by the model itself: only -inf is beneath these,
    and a softmax is NaN only over -inf alone.
    """
    low = interval(x).low
    return floor(low) - BENEATH if _is_bounded(x.dtype, low) else lowest(x.dtype)


def above(x: Value) -> float:
    """Give the number that masks write where a smallest element of x is sought: finite as in `beneath`."""
    high = interval(x).high
    return ceil(high) + BENEATH if _is_bounded(x.dtype, high) else _highest(x.dtype)


def _is_bounded(dtype: DType, bound: float) -> bool:
    return dtype.is_float and dtype.bytes >= 2 and abs(bound) <= LARGE


def lowest(dtype: DType) -> float:
    """Give the lowest number of a dtype, as far as the card holds integers."""
    if dtype.is_float:
        return -inf
    if dtype is DType.bool:
        return 0
    return 0 if dtype.kind == "uint" else -(2 ** (8 * min(int(dtype.bytes), 4) - 1))


def _highest(dtype: DType) -> float:
    if dtype.is_float:
        return inf
    return 1 if dtype is DType.bool else 2 ** (8 * min(int(dtype.bytes), 4) - 1) - 1


def is_huge(fill: float | None, dtype: DType) -> bool:
    """Return whether elements are infinite, NaN, or so large that results computed from such elements may be."""
    return fill is not None and dtype.is_float and not abs(fill) < (60000.0 if dtype is DType.f16 else 1e30)


def is_low(fill: float | None, dtype: DType) -> bool:
    """Return whether elements are so low that they stay low with anything finite added, as large as padding may be."""
    return fill is not None and fill <= (-60000.0 if dtype is DType.f16 else -1e30)
