"""Readings of resizing: upsampling, and antialiased resizing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

from ttc import ops
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten
from ttc.ops.expr import Expr, apply


def _resize(mode: str, antialias: bool = False):
    """Make a reading of upsampling in one mode, for both of aten's forms (sizes or scale factors)."""

    def read(b: ExportBuilder, x: Expr, *args: object, **keywords: object) -> Expr:
        align = args[1] if len(args) > 1 and isinstance(args[1], bool) else keywords.get("align_corners", False)
        scales = [arg for arg in args[1:] if isinstance(arg, list)]
        return resize(b, x, _Lines(mode, bool(align), antialias), scales[0] if scales else None)

    return read


@dataclass(frozen=True)
class _Lines:
    """A resizing of lines: torch's mode by the name of its one-dimensional form, and torch's options."""

    mode: str
    align_corners: bool
    antialias: bool

    def matrix(self, old: int, new: int, factor: float | None) -> torch.Tensor:
        """Return the matrix [new, old] of the resizing: torch's own result on an identity matrix."""
        eye = torch.eye(old)[None, None]  # a row for each input position
        mode = {"linear": "bilinear", "cubic": "bicubic"}.get(self.mode, self.mode)
        corners = self.align_corners if mode != self.mode else None
        resized = partial(F.interpolate, mode=mode, align_corners=corners, antialias=self.antialias)
        if factor is None:
            rows = resized(eye, size=(old, new))
        else:
            rows = resized(eye, scale_factor=(1.0, factor), recompute_scale_factor=False)
        return rows[0, 0].T


def resize(b: ExportBuilder, x: Expr, lines: _Lines, factors: list[float] | None) -> Expr:
    """Resize x [N, C, *spatial] to the declared sizes: by whole factors as Upsample, else one dimension at a time."""
    spatial, sizes = x.shape[2:], b.result.shape[2:]
    whole = all(new % old == 0 for old, new in zip(spatial, sizes, strict=True))
    natural = factors is None or all(f == new / old for f, old, new in zip(factors, spatial, sizes, strict=True))
    scales = tuple(new // old for old, new in zip(spatial, sizes, strict=True))
    halves = lines == _Lines("linear", align_corners=False, antialias=False)
    if whole and natural and lines.mode in ("nearest", "nearest-exact"):
        return apply(ops.Upsample, x, scales)
    if whole and natural and halves:
        return apply(ops.Upsample, x, scales, "linear")
    for dim, (old, new) in enumerate(zip(spatial, sizes, strict=True), start=2):
        if natural and halves and old % new == 0:
            x = _middles(x, dim, new)
        elif old != new or not natural:
            matrix = lines.matrix(old, new, None if factors is None else factors[dim - 2])
            picks = lines.mode in ("nearest", "nearest-exact")
            x = compose.take(x, dim, b.constant(matrix.argmax(1))) if picks else compose.along(b, x, dim, matrix)
    return x


def _middles(x: Expr, dim: int, size: int) -> Expr:
    """Reduce one dimension to the element in the middle of each of `size` equal parts, or the mean of the two there."""
    each = x.shape[dim] // size
    if each == 1:
        return x
    parts = x.reshape(*x.shape[:dim], size, each, *x.shape[dim + 1 :])
    before, after = (parts.part(dim + 1, at, at + 1) for at in ((each - 1) // 2, each // 2))
    middle = before if each % 2 else (before + after) * 0.5
    return middle.reshape(*x.shape[:dim], size, *x.shape[dim + 1 :])


for _rank, _linear in ((1, "linear"), (2, "bilinear"), (3, "trilinear")):
    aten(f"upsample_nearest{_rank}d")(_resize("nearest"))
    aten(f"_upsample_nearest_exact{_rank}d")(_resize("nearest-exact"))
    aten(f"upsample_{_linear}{_rank}d")(_resize("linear"))
aten("upsample_bicubic2d")(_resize("cubic"))
for _two, _mode in (("bilinear", "linear"), ("bicubic", "cubic")):
    aten(f"_upsample_{_two}2d_aa")(_resize(_mode, antialias=True))
