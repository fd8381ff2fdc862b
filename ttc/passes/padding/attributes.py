"""Symbolic sizes in attributes, as far as the lengths of the operands explain the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ttc.errors import Refusal
from ttc.ir import Op
from ttc.ir.symbolic import SymbolicSize, merged
from ttc.ops import conv, shape
from ttc.ops.padding.abstract import Factor, of_type
from ttc.ops.padding.shape import regrouped
from ttc.passes.padding.fit import Fits


def symbolic(items: Sequence[Any], name: str) -> Any:
    """Merge an attribute's values in the readings: a number that differs becomes a symbolic size without length yet."""
    first = items[0]
    if isinstance(first, tuple) and len({len(item) for item in items}) == 1:
        return tuple(symbolic(parts, name) for parts in zip(*items, strict=True))
    if all(item == first for item in items):
        return first
    if not isinstance(first, int):
        raise Refusal(f"its {name} follows a length")
    return SymbolicSize(first, None)


def explained(op: Op, variants: Sequence[Any], fits: Fits) -> dict[str, object]:
    """Explain attributes of an op on annotated operands by the operands' lengths; `variants` are the readings' ops."""
    match op:
        case shape.Reshape(x=x, shape=wanted):
            dims = regrouped(of_type(x.type).factors, wanted)
            return {"shape": tuple(merged(tuple(map(_size, dim))) for dim in dims)}
        case shape.Expand(x=x, shape=wanted):
            own = (1,) * (len(wanted) - x.type.rank) + x.shape
            return {"shape": tuple(new if _single(size) else size for size, new in zip(own, wanted, strict=True))}
        case shape.Slice(x=x, ends=ends):
            begins = list(zip(*(variant.starts for variant in variants), strict=True))
            stops = list(zip(*(variant.ends for variant in variants), strict=True))
            sizes = list(zip(*(variant.x.shape for variant in variants), strict=True))
            return {
                "starts": tuple(map(fits.size, begins)),
                "ends": tuple(map(_from_the_end, x.shape, ends, sizes, stops)),
            }
        case conv.MaxPool(x=x, kernel=kernel) | conv.AvgPool(x=x, kernel=kernel):
            windows = list(zip(*(variant.kernel for variant in variants), strict=True))
            sizes = list(zip(*(variant.x.shape[2:] for variant in variants), strict=True))
            return {"kernel": tuple(map(_from_the_end, x.shape[2:], kernel, sizes, windows))}
    return {}


def _single(size: int) -> bool:
    """Return whether a size is 1 at all lengths."""
    return size == 1 and not isinstance(size, SymbolicSize)


def _size(factor: Factor) -> int:
    """Return the (symbolic) size of a factor."""
    return SymbolicSize(factor.size, factor.length) if factor.length else factor.size


def _from_the_end(size: int, number: int, sizes: Sequence[int], numbers: Sequence[int]) -> int:
    """Explain a number that follows a length as a dimension's size less a constant, if all readings agree on one."""
    less = {own - other for own, other in zip(sizes, numbers, strict=True)}
    if not isinstance(number, SymbolicSize) or len(less) > 1:
        return number
    constant = less.pop()
    return size - constant if constant else size
