"""Reductions, prefix sums, and choices along a dimension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import DType, Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_dim, check_floating

__all__ = ["Argmax", "Cumprod", "Cumsum", "Max", "Mean", "Min", "Prod", "Sum", "Topk"]


def reduced(x: Value, dims: tuple[int, ...], keep: bool) -> tuple[int, ...]:
    """Return the shape of x with `dims` reduced to 1 (kept) or removed."""
    if keep:
        return tuple(1 if i in dims else size for i, size in enumerate(x.shape))
    return tuple(size for i, size in enumerate(x.shape) if i not in dims)


@dataclass(frozen=True)
class Reduce(Op, abstract=True):
    """f over `dims` (never empty, ascending); `keep` leaves them as size 1."""

    x: Value
    dims: tuple[int, ...]
    keep: bool = False
    function: ClassVar[Callable[..., Tensor]]

    def infer(self) -> TensorType:
        require(bool(self.dims) or self.x.type.rank == 0, "needs at least one dimension")
        require(list(self.dims) == sorted(set(self.dims)), f"dims {list(self.dims)} must ascend")
        require(bool(self.x.type.rank) or not self.dims, "a scalar is reduced over no dimension")
        for dim in self.dims:
            check_dim(dim, self.x)
        return TensorType(self.x.dtype, reduced(self.x, self.dims, self.keep))

    def eval(self, x: Tensor) -> Tensor:
        return type(self).function(x, self.dims, self.keep)


def _sum(x: Tensor, dims: tuple[int, ...], keep: bool) -> Tensor:
    return torch.sum(x, dims, keep, dtype=x.dtype) if dims else x


def _mean(x: Tensor, dims: tuple[int, ...], keep: bool) -> Tensor:
    return torch.mean(x, dims, keep) if dims else x


def _prod(x: Tensor, dims: tuple[int, ...], keep: bool) -> Tensor:
    for dim in reversed(dims):
        x = torch.prod(x, dim, keep, dtype=x.dtype)
    return x


class Sum(Reduce):
    """Sum over dims."""

    facts = Facts(Finite.ORDINARY, Exactness.KEPT, overflows=True)
    function = _sum


class Mean(Reduce):
    """Mean over dims, of floating numbers."""

    facts = Facts(Finite.ORDINARY, Exactness.KEPT, within=("x",))
    function = _mean

    def infer(self) -> TensorType:
        check_floating(self.x)
        return super().infer()


@dataclass(frozen=True)
class Extreme(Reduce, abstract=True):
    """The largest or the smallest element over dims, which must have one."""

    def infer(self) -> TensorType:
        result = super().infer()
        _check_choice(self.x, self.dims)
        return result


def _check_choice(x: Value, dims: tuple[int, ...]) -> None:
    """Refuse to choose among no elements."""
    require(all(x.shape[dim] for dim in dims if x.type.rank), f"{x.type} has no element to choose from")


class Max(Extreme):
    """Largest element over dims."""

    facts = Facts(Finite.ALL, Exactness.KEPT, within=("x",))
    function = torch.amax


class Min(Extreme):
    """Smallest element over dims."""

    facts = Facts(Finite.ALL, Exactness.KEPT, within=("x",))
    function = torch.amin


class Prod(Reduce):
    """Product over dims."""

    facts = Facts(Finite.SOME, Exactness.KEPT, overflows=True)
    function = _prod


@dataclass(frozen=True)
class Argmax(Op):
    """Index (i64) of the first largest element along `dim`."""

    x: Value
    dim: int
    keep: bool = False
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.LOST, span=(0.0, inf))

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        _check_choice(self.x, (self.dim,))
        return TensorType(DType.i64, reduced(self.x, (self.dim,), self.keep))

    def eval(self, x: Tensor) -> Tensor:
        return torch.argmax(x, self.dim, self.keep)


@dataclass(frozen=True)
class Cumsum(Op):
    """Prefix sum along `dim`: from the end if `reverse`, without the element itself if `exclusive`."""

    x: Value
    dim: int
    reverse: bool = False
    exclusive: bool = False
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.KEPT, overflows=True)

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        dims = (self.dim,) if self.reverse and x.ndim else ()
        sums = torch.cumsum(x.flip(dims), self.dim, dtype=x.dtype).flip(dims)
        if not self.exclusive or not x.ndim:
            return torch.zeros_like(x) if self.exclusive else sums
        zero = torch.zeros_like(sums.narrow(self.dim, 0, min(1, x.shape[self.dim])))
        size = max(x.shape[self.dim] - 1, 0)
        parts = (sums.narrow(self.dim, 1, size), zero) if self.reverse else (zero, sums.narrow(self.dim, 0, size))
        return torch.cat(parts, self.dim)


@dataclass(frozen=True)
class Cumprod(Op):
    """Inclusive prefix product along `dim`."""

    x: Value
    dim: int
    facts: ClassVar[Facts] = Facts(Finite.SOME, Exactness.KEPT, overflows=True)

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.cumprod(x, self.dim, dtype=x.dtype)


@dataclass(frozen=True)
class Topk(Op):
    """The k largest (or smallest) elements along `dim`, sorted, and their indices (i64); of equals, the first."""

    x: Value
    k: int
    dim: int
    largest: bool = True
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), shrinks=True)

    def infer(self) -> tuple[TensorType, TensorType]:
        check_dim(self.dim, self.x)
        require(0 <= self.k <= self.x.shape[self.dim], f"k = {self.k} of {self.x.shape[self.dim]} elements")
        shape = tuple(self.k if i == self.dim else size for i, size in enumerate(self.x.shape))
        return TensorType(self.x.dtype, shape), TensorType(DType.i64, shape)

    def eval(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, indices = torch.sort(x, stable=True, dim=self.dim, descending=self.largest)
        return values.narrow(self.dim, 0, self.k), indices.narrow(self.dim, 0, self.k)
