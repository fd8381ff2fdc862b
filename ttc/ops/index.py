"""Ops that look elements up by index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_dim, same_dtype
from ttc.ops.torch_types import as_signed

__all__ = ["Embedding", "Gather", "OneHot", "Scatter"]


@dataclass(frozen=True)
class Embedding(Op):
    """Rows of w [V, ...] by integer index of any shape; an index must be 0 <= i < V."""

    w: Value
    index: Value
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("w",), moves=True)

    def infer(self) -> TensorType:
        require(self.index.dtype.is_integer, f"the index must be of integers, got {self.index.type}")
        require(self.w.type.rank >= 1, f"the table must have a dimension, got {self.w.type}")
        return TensorType(self.w.dtype, (*self.index.shape, *self.w.shape[1:]))

    def eval(self, w: Tensor, index: Tensor) -> Tensor:
        return w[index.long()]


def _check_index(index: Value, x: Value, dim: int) -> None:
    """Require integers, and in every dimension but `dim` no more of them than x has elements."""
    require(index.dtype.is_integer, f"the index must be of integers, got {index.type}")
    within = all(i == dim or count <= size for i, (count, size) in enumerate(zip(index.shape, x.shape, strict=True)))
    require(within, f"index {index.type} reaches beyond x {x.type}")


@dataclass(frozen=True)
class Gather(Op):
    """y[.., i, ..] = x[.., index[.., i, ..], ..] along `dim` (torch.gather, ONNX GatherElements)."""

    x: Value
    index: Value
    dim: int
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True)

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        require(self.index.type.rank == self.x.type.rank, f"index {self.index.type} and x {self.x.type} differ in rank")
        _check_index(self.index, self.x, self.dim)
        return TensorType(self.x.dtype, self.index.shape)

    def eval(self, x: Tensor, index: Tensor) -> Tensor:
        return torch.gather(as_signed(x), self.dim, index.long()).view(x.dtype)


@dataclass(frozen=True)
class Scatter(Op):
    """x with x[.., index[.., i, ..], ..] = updates[.., i, ..] along `dim`; `reduce` is "" or add."""

    x: Value
    index: Value
    updates: Value
    dim: int
    reduce: Literal["", "add"] = ""
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.KEPT, overflows=True)

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        require(
            self.index.shape == self.updates.shape, f"index {self.index.type} does not fit updates {self.updates.type}"
        )
        require(self.index.type.rank == self.x.type.rank, f"index {self.index.type} and x {self.x.type} differ in rank")
        _check_index(self.index, self.x, self.dim)
        require(self.reduce in ("", "add"), f"no reduction is called {self.reduce!r}")
        same_dtype(self.x, self.updates)
        return self.x.type

    def eval(self, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        if self.reduce == "add":
            return x.scatter_add(self.dim, index.long(), updates)
        return x.scatter(self.dim, index.long(), updates)


@dataclass(frozen=True)
class OneHot(Op):
    """1 where the position along a new last dimension equals the index, else 0 (in the index's dtype)."""

    index: Value
    depth: int
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.LOST, span=(0.0, 1.0), shrinks=True)

    def infer(self) -> TensorType:
        require(self.index.dtype.kind != "complex" and self.depth >= 0, f"one_hot of {self.index.type}, {self.depth}")
        return TensorType(self.index.dtype, (*self.index.shape, self.depth))

    def eval(self, index: Tensor) -> Tensor:
        return (index.unsqueeze(-1) == torch.arange(self.depth)).to(index.dtype)
