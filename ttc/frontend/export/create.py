"""Readings of aten ops that make tensors from numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export.table import ExportBuilder, Number, aten, full
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, where
from ttc.ops.torch_types import to_torch


def _table(b: ExportBuilder, tensor: torch.Tensor) -> Expr:
    """Add a known tensor in the declared dtype."""
    return b.constant(tensor.to(to_torch(b.result.dtype)))


@aten("arange")
def arange(b: ExportBuilder, end: Number, dtype: DType | None = None) -> Expr:
    return arange_step(b, 0, end, 1, dtype)


@aten("arange.start", "arange.start_step")
def arange_step(b: ExportBuilder, start: Number, end: Number, step: Number = 1, dtype: DType | None = None) -> Expr:
    check_table(b.result.numel)
    return _table(b, torch.arange(start, end, step, dtype=to_torch(b.result.dtype)))


@aten("linspace")
def linspace(b: ExportBuilder, start: Number, end: Number, steps: int, dtype: DType | None = None) -> Expr:
    check_table(b.result.numel)
    return _table(b, torch.linspace(start, end, steps, dtype=to_torch(b.result.dtype)))


@aten("eye", "eye.m")
def eye(b: ExportBuilder, *sizes: int, dtype: DType | None = None) -> Expr:
    check_table(b.result.numel)
    return _table(b, torch.eye(*sizes))


def _by_torch(make: Callable[..., torch.Tensor]):
    """Make a reading of a tensor that torch makes of sizes and numbers alone."""

    def read(b: ExportBuilder, *numbers: Number, dtype: DType | None = None) -> Expr:
        check_table(b.result.numel)
        return _table(b, make(*numbers))

    return read


aten("tril_indices")(_by_torch(torch.tril_indices))
aten("triu_indices")(_by_torch(torch.triu_indices))
aten("fft_fftfreq")(_by_torch(torch.fft.fftfreq))
aten("fft_rfftfreq")(_by_torch(torch.fft.rfftfreq))


@aten("scalar_tensor")
def scalar_tensor(b: ExportBuilder, value: Number, dtype: DType | None = None) -> Expr:
    return full(b, (), value, b.result.dtype)


def _filled(value: Number):
    """Make a reading that fills the shape and dtype that torch declares, so that one function serves every form."""
    return lambda b, *_, **__: full(b, b.result.shape, value, b.result.dtype)


aten("zeros", "zeros_like", "new_zeros", "empty", "empty_like", "new_empty", "empty_permuted", "empty_strided",
     "new_empty_strided", "zero")(_filled(0))  # fmt: skip
aten("ones", "ones_like", "new_ones")(_filled(1))


@aten("full", "full_like", "new_full", "fill.Scalar")
def fill(b: ExportBuilder, x: Expr | list[int], *rest: object, **_: object) -> Expr:
    """Fill with a number: the last positional operand of each of these ops."""
    return full(b, b.result.shape, rest[-1], b.result.dtype)  # type: ignore[arg-type]


@aten("fill.Tensor")
def fill_tensor(b: ExportBuilder, x: Expr, value: Expr) -> Expr:
    return value.cast(x.dtype).expand(*x.shape)


@aten("tril")
def tril(b: ExportBuilder, x: Expr, diagonal: int = 0) -> Expr:
    return _triangle(b, x, torch.tril, diagonal)


@aten("triu")
def triu(b: ExportBuilder, x: Expr, diagonal: int = 0) -> Expr:
    return _triangle(b, x, torch.triu, diagonal)


def _triangle(b: ExportBuilder, x: Expr, keep: object, diagonal: int) -> Expr:
    """Keep x where `keep` holds, else 0."""
    check_table(*x.shape[-2:])
    mask = keep(torch.ones(x.shape[-2:], dtype=torch.bool), diagonal)  # type: ignore[operator]
    return where(b.constant(mask), x, 0)


@aten("one_hot")
def one_hot(b: ExportBuilder, x: Expr, num_classes: int = -1) -> Expr:
    if num_classes < 0:
        raise Refusal("one_hot without num_classes has a size that depends on data: give num_classes")
    return apply(ops.OneHot, x, num_classes)


@aten("meshgrid", "meshgrid.indexing")
def meshgrid(b: ExportBuilder, tensors: list[Expr], indexing: str = "ij") -> list[Expr]:
    xs = [tensors[1], tensors[0], *tensors[2:]] if indexing == "xy" and len(tensors) > 1 else tensors
    shape = tuple(x.type.numel for x in xs)
    grids = []
    for position, x in enumerate(xs):
        line = x.view(*[-1 if i == position else 1 for i in range(len(xs))])
        grids.append(line.expand(*shape))
    return [grids[1], grids[0], *grids[2:]] if xs is not tensors else grids
