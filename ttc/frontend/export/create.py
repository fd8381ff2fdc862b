"""Readings of aten ops that make tensors from numbers."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.guard.budget import check_table
from ttc.ir import DType, Value
from ttc.ops.torch_types import to_torch


def _table(b: ExportBuilder, tensor: torch.Tensor) -> Value:
    """A known tensor in the declared dtype."""
    return ops.constant(b, tensor.to(to_torch(b.result.dtype)))


@aten("arange")
def arange(b: ExportBuilder, end: Number, dtype: DType | None = None) -> Value:
    return arange_step(b, 0, end, 1, dtype)


@aten("arange.start", "arange.start_step")
def arange_step(b: ExportBuilder, start: Number, end: Number, step: Number = 1, dtype: DType | None = None) -> Value:
    check_table(b.result.numel)
    return _table(b, torch.arange(start, end, step, dtype=to_torch(b.result.dtype)))


@aten("linspace")
def linspace(b: ExportBuilder, start: Number, end: Number, steps: int, dtype: DType | None = None) -> Value:
    check_table(b.result.numel)
    return _table(b, torch.linspace(start, end, steps, dtype=to_torch(b.result.dtype)))


@aten("eye", "eye.m")
def eye(b: ExportBuilder, *sizes: int, dtype: DType | None = None) -> Value:
    check_table(b.result.numel)
    return _table(b, torch.eye(*sizes))


@aten("scalar_tensor")
def scalar_tensor(b: ExportBuilder, value: Number, dtype: DType | None = None) -> Value:
    return full(b, (), value, b.result.dtype)


def _filled(value: Number):
    """The shape and dtype are those torch declares, so that one function serves every form."""
    return lambda b, *_, **__: full(b, b.result.shape, value, b.result.dtype)


aten("zeros", "zeros_like", "new_zeros", "empty", "empty_like", "new_empty", "empty_permuted", "empty_strided",
     "new_empty_strided", "zero")(_filled(0))  # fmt: skip
aten("ones", "ones_like", "new_ones")(_filled(1))


@aten("full", "full_like", "new_full", "fill.Scalar")
def fill(b: ExportBuilder, x: Value | list[int], *rest: object, **_: object) -> Value:
    """The number is the last positional operand of each of these."""
    return full(b, b.result.shape, rest[-1], b.result.dtype)  # type: ignore[arg-type]


@aten("fill.Tensor")
def fill_tensor(b: ExportBuilder, x: Value, value: Value) -> Value:
    return compose.expand(b, cast(b, value, x.dtype), x.shape)


@aten("tril")
def tril(b: ExportBuilder, x: Value, diagonal: int = 0) -> Value:
    return _triangle(b, x, torch.tril, diagonal)


@aten("triu")
def triu(b: ExportBuilder, x: Value, diagonal: int = 0) -> Value:
    return _triangle(b, x, torch.triu, diagonal)


def _triangle(b: ExportBuilder, x: Value, keep: object, diagonal: int) -> Value:
    """x where `keep` holds, else 0."""
    check_table(*x.shape[-2:])
    mask = keep(torch.ones(x.shape[-2:], dtype=torch.bool), diagonal)  # type: ignore[operator]
    return b(ops.Where(ops.constant(b, mask), x, full(b, (), 0, x.dtype)))


@aten("one_hot")
def one_hot(b: ExportBuilder, x: Value, num_classes: int = -1) -> Value:
    if num_classes < 0:
        raise Refusal("one_hot without num_classes has a size that depends on data: give num_classes")
    return b(ops.OneHot(x, num_classes))


@aten("meshgrid", "meshgrid.indexing")
def meshgrid(b: ExportBuilder, tensors: list[Value], indexing: str = "ij") -> list[Value]:
    xs = [tensors[1], tensors[0], *tensors[2:]] if indexing == "xy" and len(tensors) > 1 else tensors
    shape = tuple(x.type.numel for x in xs)
    grids = []
    for position, x in enumerate(xs):
        line = compose.reshape(b, x, [-1 if i == position else 1 for i in range(len(xs))])
        grids.append(compose.expand(b, line, shape))
    return [grids[1], grids[0], *grids[2:]] if xs is not tensors else grids
