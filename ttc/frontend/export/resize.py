"""Readings of resizing: upsampling, and antialiased resizing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ttc import ops
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, aten
from ttc.ops.expr import Expr, apply

_PICKS = {"nearest": "upsample_nearest", "nearest-exact": "_upsample_nearest_exact"}
"""The aten ops that pick elements, by mode; of one, two or three dimensions."""

_WEIGHS = {"linear": "upsample_bilinear2d", "cubic": "upsample_bicubic2d"}
"""The aten ops that weigh elements of images, by mode."""


def _resize(mode: str, rank: int, antialias: bool = False):
    """Make a reading of upsampling in one mode, for both of aten's forms (sizes with scales, or scale factors)."""
    names = ("scales",) if rank == 1 else ("scales_d", "scales_h", "scales_w")[-rank:]

    def read(b: ExportBuilder, x: Expr, output_size: list[int] | None, *rest: Any, **keywords: Any) -> Expr:
        corners = rest[:1] if mode in _WEIGHS else ()
        given = rest[len(corners) :]
        if given and isinstance(given[0], list):
            scales = given[0]
        else:
            by_name = keywords | dict(zip(names, given, strict=False))
            scales = keywords.get("scale_factors") or [by_name.get(name) for name in names]
        lines = _Lines(mode, any(corners) or keywords.get("align_corners", False), antialias)
        return resize(b, x, lines, scales)

    return read


@dataclass(frozen=True)
class _Lines:
    """A resizing of lines: torch's mode by the name of its one-dimensional form, and torch's options."""

    mode: str
    align_corners: bool
    antialias: bool

    def matrix(self, old: int, new: int, scale: float | None, images: bool) -> torch.Tensor:
        """Return the matrix [new, old] of the resizing: torch's own result on an identity matrix.

        Of images torch picks elements by the sizes where these are equal or doubled, whatever the scale.
        """
        eye = torch.eye(old)[None, None]  # a row for each input position
        if self.mode in _PICKS and images:
            return getattr(torch.ops.aten, f"{_PICKS[self.mode]}2d")(eye, [old, new], None, scale)[0, 0].T
        if self.mode in _PICKS:
            return getattr(torch.ops.aten, f"{_PICKS[self.mode]}1d")(eye[0], [new], scale)[0].T
        name = _WEIGHS[self.mode]
        function = getattr(torch.ops.aten, f"_{name}_aa" if self.antialias else name)
        return function(eye, [old, new], self.align_corners, None, scale)[0, 0].T


def resize(b: ExportBuilder, x: Expr, lines: _Lines, scales: list[float | None]) -> Expr:
    """Resize x [N, C, *spatial] to the declared sizes: by whole factors as Upsample, else one dimension at a time.

    A scale that is given places the samples, though it may not be the quotient of the sizes.
    """
    spatial, sizes = x.shape[2:], b.result.shape[2:]
    whole = all(new % old == 0 for old, new in zip(spatial, sizes, strict=True))
    natural = all(s in (None, new / old) for s, old, new in zip(scales, spatial, sizes, strict=True))
    factors = tuple(new // old for old, new in zip(spatial, sizes, strict=True))
    halves = lines == _Lines("linear", align_corners=False, antialias=False)
    if whole and natural and lines.mode in _PICKS:
        return apply(ops.Upsample, x, factors)
    if whole and natural and halves:
        return apply(ops.Upsample, x, factors, "linear")
    for dim, (old, new) in enumerate(zip(spatial, sizes, strict=True), start=2):
        if natural and halves and old % new == 0:
            x = _middles(x, dim, new)
        elif old != new or not natural:
            matrix = lines.matrix(old, new, scales[dim - 2], len(sizes) == 2)
            picks = lines.mode in _PICKS
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
    aten(f"upsample_nearest{_rank}d")(_resize("nearest", _rank))
    aten(f"_upsample_nearest_exact{_rank}d")(_resize("nearest-exact", _rank))
    aten(f"upsample_{_linear}{_rank}d")(_resize("linear", _rank))
aten("upsample_bicubic2d")(_resize("cubic", 2))
for _two, _mode in (("bilinear", "linear"), ("bicubic", "cubic")):
    aten(f"_upsample_{_two}2d_aa")(_resize(_mode, 2, antialias=True))
