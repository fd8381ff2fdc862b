"""Shear that leads from relative positions to absolute ones, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite

__all__ = ["Skew"]


@dataclass(frozen=True)
class Skew(Op):
    """y[..., i, j] = x[..., i, j + slope * i + offset], 0 where x has no such column; y has `size` columns.

    slope -1 makes scores of pairs (i, j) of scores of distances j - i (Huang et al. 2018, "Music Transformer");
    slope 1 is the way back.
    """

    x: Value
    slope: int
    offset: int
    size: int
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.LOST, shrinks=True)

    def infer(self) -> TensorType:
        require(self.x.type.rank >= 2, f"needs rows and columns, got {self.x.type}")
        require(self.slope in (-1, 1), f"slope must be -1 or 1, got {self.slope}")
        require(self.size >= 0, f"size must not be negative, got {self.size}")
        return TensorType(self.x.dtype, (*self.x.shape[:-1], self.size))

    def eval(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        source = torch.arange(self.size) + self.slope * torch.arange(rows)[:, None] + self.offset
        if not columns:
            return x.new_zeros((*x.shape[:-1], self.size))
        found = x.gather(-1, source.clamp(0, columns - 1).expand(*x.shape[:-1], self.size))
        return torch.where((source >= 0) & (source < columns), found, torch.zeros((), dtype=x.dtype))
