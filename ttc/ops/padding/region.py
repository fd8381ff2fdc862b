"""Regions: which part of a value is valid, and what is known of the rest, its padding.

A dimension is a product of factors, outermost first: one as a rule, several where a reshape has merged dimensions, so
that it can take them apart again. A family of programs that differ in their lengths alone has sizes for each member.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf, isfinite, prod

from ttc.errors import Refusal
from ttc.ir import DType
from ttc.ir.lengths import Length

Sizes = tuple[int, ...]
"""A size in each member of the family."""


@dataclass(frozen=True)
class Factor:
    """A dimension or part of one.

    Positions from `length` on are padding (all are valid if it is None). `fill` is what elements are known to be
    where this position is padding and all others are valid: a number, or None if that is not known. `sample` marks
    the batch, where each sample has lengths of its own. Where all positions hold the same (`alike`), so does padding.
    """

    sizes: Sizes
    length: Length | None = None
    fill: float | None = None
    sample: bool = False
    alike: bool = False

    def bare(self, fill: float | None = None) -> Factor:
        """The same, its padding holding this number or something unknown."""
        return Factor(self.sizes, self.length, fill, self.sample)

    @property
    def infinite(self) -> bool:
        """Whether its padding is known to be infinite or NaN."""
        return self.length is not None and self.fill is not None and not isfinite(self.fill)

    def over(self, members: int) -> Sizes:
        """The sizes; ones for a dimension that has no factors."""
        return self.sizes or (1,) * members


Dim = tuple[Factor, ...]


@dataclass(frozen=True)
class Region:
    """The factors of each dimension, and the names of the values whose padding may have made this one inf or NaN.

    With no `taint` all padding is finite if all that is valid is, but for infinities and NaN that a `fill` states.
    """

    dims: tuple[Dim, ...]
    taint: frozenset[str] = frozenset()

    @property
    def factors(self) -> tuple[Factor, ...]:
        """All factors in row-major order."""
        return tuple(factor for dim in self.dims for factor in dim)

    @property
    def padded(self) -> bool:
        """Whether any of it is padding."""
        return any(factor.length for factor in self.factors)

    @property
    def infinite_dims(self) -> tuple[int, ...]:
        """The dimensions whose padding is known to be infinite or NaN."""
        return tuple(d for d, dim in enumerate(self.dims) if any(factor.infinite for factor in dim))

    @property
    def clean(self) -> bool:
        """Whether all padding is finite."""
        return not self.taint and not self.infinite_dims

    @property
    def padded_dims(self) -> tuple[int, ...]:
        """The dimensions with padding."""
        return tuple(d for d, dim in enumerate(self.dims) if any(factor.length for factor in dim))

    def sizes(self, dim: int, members: int) -> Sizes:
        """The size of a dimension in each member."""
        return product((factor.sizes for factor in self.dims[dim]), members)

    def axis(self, dim: int) -> Factor:
        """A dimension as one factor; Refusal where its valid part is not its beginning."""
        return joined(self.dims[dim])

    def with_dim(self, dim: int, factor: Factor) -> Region:
        """The same with another factor for one dimension."""
        return replace(self, dims=tuple((factor,) if d == dim else old for d, old in enumerate(self.dims)))

    def without_fills(self) -> Region:
        """The same with nothing known of the padding but whether it is finite."""
        return replace(self, dims=tuple(tuple(f.bare() for f in dim) for dim in self.dims))


def single(factor: Factor) -> Dim:
    """A dimension of one factor; of none where there is one position."""
    return (factor,) if any(size != 1 for size in factor.sizes) else ()


def product(sizes: Iterable[Sizes], members: int) -> Sizes:
    """The sizes of a dimension that is made of such factors."""
    listed = list(sizes)
    return tuple(prod(size[member] for size in listed) for member in range(members))


def joined(dim: Dim) -> Factor:
    """Factors as one; Refusal where a length has something outside it that is no single position."""
    if len(dim) == 1:
        return dim[0]
    if not dim:
        return Factor(())
    sizes = product((factor.sizes for factor in dim), len(dim[0].sizes))
    if not any(factor.length for factor in dim):
        return Factor(sizes)
    first, *rest = dim
    if first.length is None or any(factor.length or factor.sample for factor in rest):
        raise Refusal(
            "a reshape has merged a length with the dimension before it, and this op does not take them apart"
        )
    inner = prod(factor.sizes[0] for factor in rest)
    return Factor(sizes, first.length * inner, first.fill)


def lowest(dtype: DType) -> float:
    """The number that masks write where a largest element or a softmax is sought: no valid one is below it.

    Minus infinity it must be, as valid elements may be, too: of nothing else than that a softmax is NaN.
    """
    if dtype.is_float:
        return -inf
    if dtype is DType.bool:
        return 0
    return 0 if dtype.kind == "uint" else -(2 ** (8 * min(int(dtype.bytes), 4) - 1))


def is_huge(fill: float | None, dtype: DType) -> bool:
    """Whether elements are infinite, NaN, or so large that what is computed of them may be."""
    return fill is not None and dtype.is_float and not abs(fill) < (60000.0 if dtype is DType.f16 else 1e30)


def is_low(fill: float | None, dtype: DType) -> bool:
    """Whether elements are so low that they stay so with anything finite added: what padding holds may be large."""
    return fill is not None and fill <= (-60000.0 if dtype is DType.f16 else -1e30)
