"""ONNX operators that sample images at places of a grid."""

from __future__ import annotations

from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.frontend.sampling import grid_sample
from ttc.ops.expr import Expr

MODES = {"bilinear": "linear", "linear": "linear", "bicubic": "cubic", "cubic": "cubic", "nearest": "nearest"}
"""Modes by opset 16's names and those of later ones."""


@onnx_op(since=16)
def GridSample(b: Emitter, x: Expr, grid: Expr, *, align_corners=0, mode="linear", padding_mode="zeros") -> Expr:
    if mode not in MODES:
        raise Refusal(f"no mode is called {mode!r}")
    return grid_sample(b, x, grid, MODES[mode], padding_mode, bool(align_corners))
