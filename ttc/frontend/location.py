"""Locations of exported nodes in a model's source."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch.fx import Node

FRAME = re.compile(r'File "(?:[^"\n]*[/\\])?([\w.-]+)", line (\d+)')
"""A frame of a traceback: the name of a source file, and a line's number."""

OTHERS = (
    str(Path(torch.__file__).parent),
    "site-packages/torch/",
    "dist-packages/torch/",
    str(Path(__file__).parents[1] / "acceleration"),
)
"""Parts of the paths of source files that are no model's: torch's, here or where the model was exported, and ours."""


def location(node: Node) -> str:
    """Return the path of the node's module and the line of the model's own source, `encoder.layers.0 at model.py:41`.

    Either is left out where torch has not recorded it: the model itself has no path, and not every archive has traces.
    """
    modules = list(node.meta.get("nn_module_stack", {}).values())
    path = modules[-1][0] if modules else ""
    file, line = own_frame(node.meta.get("stack_trace") or "")
    return " at ".join(filter(None, (path, file and f"{file}:{line}")))


def own_frame(trace: str) -> tuple[str, str]:
    """Return the file's name and the line of a traceback's innermost frame of the model's own; ("", "") for none."""
    own = [frame for frame in FRAME.finditer(trace) if not any(part in frame[0] for part in OTHERS)]
    return (own[-1][1], own[-1][2]) if own else ("", "")
