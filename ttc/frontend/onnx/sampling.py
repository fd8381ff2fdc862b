"""ONNX operators that sample images at places of a grid."""

from __future__ import annotations

from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import onnx_op
from ttc.frontend.sampling import grid_sample
from ttc.ops.expr import Expr

MODES = {"bilinear": "linear", "linear": "linear", "bicubic": "cubic", "cubic": "cubic", "nearest": "nearest"}
"""Modes by opset 16's names and those of later ones."""


@onnx_op(since=16)
def GridSample(b: Emitter, x: Expr, grid: Expr, *, align_corners=0, mode="linear", padding_mode="zeros") -> Expr:
    check_word("mode", mode, *MODES)
    return grid_sample(b, x, grid, MODES[mode], padding_mode, bool(align_corners))
