"""Slices that TTNN cut a convolution into, as its own trace of the call tells."""

from __future__ import annotations

import re
from typing import Any

from ttc.ir import TILE

CUTS = ("PaddedSliceDeviceOperation", "SliceWriteDeviceOperation")
"""The device ops that read a slice of an image and write one."""

SHAPE = re.compile(r"Shape\(\[(\d+), (\d+), (\d+), (\d+)\]\)")
"""A shape [N, H, W, C] in TTNN's words."""


def unsound_slices(notes: list[dict[str, Any]]) -> tuple[str, ...]:
    """List the images that a call cut along the height although their lines are no whole tiles, once each."""
    cuts = (n for n in notes if n["node_type"] == "function_start" and n["params"]["name"] in CUTS)
    return tuple(dict.fromkeys(fault for cut in cuts if (fault := _fault(cut))))


def _fault(cut: dict[str, Any]) -> str:
    """Return the fault of a cut, "" if there is none; its first argument is the slice, its last ends in the image."""
    slices, *_, image = (SHAPE.findall(str(argument)) for argument in cut["arguments"][:2])
    (start, end), whole = (tuple(map(int, shape)) for shape in slices[:2]), tuple(map(int, image[-1]))
    if end[1] - start[1] >= whole[1] or whole[2] % TILE == 0:
        return ""
    return f"ttnn cuts an image of {whole[1]} x {whole[2]} pixels along the height, its lines no whole tiles of {TILE}"
