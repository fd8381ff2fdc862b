"""Normalisations and softmax."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_dim, check_floating, same_dtype
from ttc.ops.spatial import Spatial, from_rows, images, to_rows

__all__ = ["BatchNorm", "GroupNorm", "LayerNorm", "LogSoftmax", "RmsNorm", "Softmax"]


@dataclass(frozen=True)
class LayerNorm(Op):
    """(x - mean) / sqrt(var + eps) * w + bias over the last `dims` dimensions (Ba et al. 2016)."""

    x: Value
    w: Value | None = None
    bias: Value | None = None
    dims: int = 1
    eps: float = 1e-5
    facts: ClassVar[Facts] = Facts(Finite.SOME, Exactness.LOST)

    def infer(self) -> TensorType:
        require(1 <= self.dims <= self.x.type.rank, f"cannot normalise {self.dims} dimensions of {self.x.type}")
        shape = self.x.shape[-self.dims :]
        for operand in (self.w, self.bias):
            require(operand is None or operand.shape == shape, f"weight and bias must be {list(shape)}")
        check_floating(self.x)
        same_dtype(self.x, self.w, self.bias)
        return self.x.type

    def eval(self, x: Tensor, w: Tensor | None, bias: Tensor | None) -> Tensor:
        return F.layer_norm(x, x.shape[-self.dims :], w, bias, self.eps)


@dataclass(frozen=True)
class RmsNorm(Op):
    """x / sqrt(mean(x^2) + eps) * w over the last dimension (Zhang & Sennrich 2019)."""

    x: Value
    w: Value | None = None
    eps: float = 1e-5
    facts: ClassVar[Facts] = Facts(Finite.SOME, Exactness.LOST)

    def infer(self) -> TensorType:
        require(self.w is None or self.w.shape == self.x.shape[-1:], f"the weight must be {list(self.x.shape[-1:])}")
        check_floating(self.x)
        same_dtype(self.x, self.w)
        return self.x.type

    def eval(self, x: Tensor, w: Tensor | None) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], w, self.eps)


@dataclass(frozen=True)
class GroupNorm(Spatial):
    """Normalisation of each of `groups` channel groups of each sample (Wu & He 2018); groups = C is instance norm.

    x is [N, C, *spatial], or channels-last rows with `rows` = (N, *spatial); w and bias are [C].
    """

    x: Value
    w: Value | None = None
    bias: Value | None = None
    groups: int = 1
    eps: float = 1e-5
    rows: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.SOME, Exactness.LOST)

    def infer(self) -> TensorType:
        require(self.x.type.rank >= 2, f"needs [N, C, ..], got {self.x.type}")
        if self.rows:
            images(self.x, self.rows, len(self.rows) - 1)
        channels = self.x.shape[-1 if self.rows else 1]
        require(self.groups >= 1, f"{self.groups} groups")
        require(channels % self.groups == 0, f"{channels} channels are no multiple of {self.groups} groups")
        for operand in (self.w, self.bias):
            require(operand is None or operand.shape == (channels,), f"weight and bias must be [{channels}]")
        check_floating(self.x)
        same_dtype(self.x, self.w, self.bias)
        return self.x.type

    def eval(self, x: Tensor, w: Tensor | None, bias: Tensor | None) -> Tensor:
        return to_rows(torch.group_norm(from_rows(x, self.rows), self.groups, w, bias, self.eps), self.rows)


@dataclass(frozen=True)
class BatchNorm(Op):
    """(x - mean) / sqrt(var + eps) * w + bias with given statistics, all [C]; x is [N, C, ...]."""

    x: Value
    w: Value
    bias: Value
    mean: Value
    var: Value
    eps: float = 1e-5
    facts: ClassVar[Facts] = Facts(Finite.SOME, Exactness.LOST)

    def infer(self) -> TensorType:
        shape = self.x.shape[1:2]
        for operand in (self.w, self.bias, self.mean, self.var):
            require(operand.shape == shape, f"weight, bias, mean and var must be {list(shape)}, got {operand.type}")
        check_floating(self.x)
        same_dtype(self.x, self.w, self.bias, self.mean, self.var)
        return self.x.type

    def eval(self, x: Tensor, w: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return F.batch_norm(x, mean, var, w, bias, training=False, eps=self.eps)


@dataclass(frozen=True)
class Softmax(Op):
    """exp(x - max) / sum(exp(x - max)) along `dim`."""

    x: Value
    dim: int
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.LOST, span=(0.0, 1.0))

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.softmax(x, self.dim)


@dataclass(frozen=True)
class LogSoftmax(Op):
    """x - max - log(sum(exp(x - max))) along `dim`."""

    x: Value
    dim: int
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST, span=(-inf, 0.0))

    def infer(self) -> TensorType:
        check_dim(self.dim, self.x)
        check_floating(self.x)
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.log_softmax(x, self.dim)
