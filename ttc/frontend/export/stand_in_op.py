"""`torch.ops.ttc.stand_in`: an op in the place of an operator that torch must not, or cannot, look up.

The op computes nothing and is always refused. `operands` are the tensors that the operator takes; the results are the
tensors that the file declares for the operator. `text` is the name of the operator's node and the reason for the
refusal, by the numbers of their characters: torch writes texts into Python, and these hold what a file says.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.fx import Node
from torch.fx.node import has_side_effect

from ttc.frontend.export.recurrent_ops import LIBRARY
from ttc.frontend.location import location

LIBRARY.define(
    "stand_in(Tensor[] operands, int[] text, str[] dtypes, int[] ranks, int[] sizes) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)

STAND_IN = torch.ops.ttc.stand_in.default
has_side_effect(STAND_IN)  # kept where nothing reads its results: the operator may have changed its operands


@torch.library.register_fake("ttc::stand_in", lib=LIBRARY)
def _results(
    operands: list[Tensor], text: list[int], dtypes: list[str], ranks: list[int], sizes: list[int]
) -> list[Tensor]:
    """Make results of these dtypes and ranks; a size of -1 - n is that of the n-th dimension of all operands."""
    known = [size for operand in operands for size in operand.shape]
    each = (size if size >= 0 else known[-1 - size] for size in sizes)
    shapes = [[next(each) for _ in range(rank)] for rank in ranks]
    return [torch.empty(shape, dtype=getattr(torch, dtype)) for shape, dtype in zip(shapes, dtypes, strict=True)]


def as_numbers(name: str, reason: str) -> list[int]:
    """Return the `text` of a stand-in."""
    return list(map(ord, f"{name}\n{reason}"))


def name_and_reason(node: Node) -> tuple[str, str]:
    """Return the two texts of a stand-in."""
    name, _, reason = "".join(map(chr, cast(list[int], node.args[1]))).partition("\n")
    return name, reason


def place_of(node: Node) -> str:
    """Return a node's name and location; of a stand-in the name of the node that it stands for."""
    name, place = name_and_reason(node)[0] if node.target is STAND_IN else node.name, location(node)
    return f"{name} in {place}" if place else name
