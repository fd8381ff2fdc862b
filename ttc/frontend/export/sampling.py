"""The reading of aten's ops that sample images at places of a grid."""

from __future__ import annotations

from ttc.frontend.export.table import ExportBuilder, aten
from ttc.frontend.sampling import PADDINGS, grid_sample
from ttc.ops.expr import Expr

MODES = ("linear", "nearest", "cubic")
"""Modes by torch's numbers, as PADDINGS are."""


@aten("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(
    b: ExportBuilder, x: Expr, grid: Expr, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Expr:
    """Sample x at the grid's places; like torch, move each of a cubic's four elements to the border, not the place."""
    mode = MODES[interpolation_mode]
    return grid_sample(b, x, grid, mode, PADDINGS[padding_mode], align_corners, 1.0 if mode == "cubic" else 0.0)
